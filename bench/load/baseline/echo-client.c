// The least that a WebSocket load generator can cost: one thread, epoll, masked frames made once,
// one write for all the messages that a read allows. What a core can do, for the benchmarks' bars.
//
//   echo-client <port> <connections> <depth> <payload bytes> <seconds> [messages per second]
//
// Closed loop: each connection keeps `depth` messages in flight. With a rate, open model: messages
// leave by a timer of one millisecond, the connections in turn; `depth` bounds those in flight on
// each, and times count from when a message was due. The first fifth is warm-up.
// Prints one line of JSON; times in milliseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, SUB = 64, BUCKETS = SUB * 40 };

struct connection {
  int fd;
  uint32_t head, tail;    // of the ring of send times: the oldest, and the next free
  uint32_t partial;       // bytes of the frame that is coming in
  uint32_t unsent;        // bytes that the kernel did not take
  uint64_t *sentAt;       // a ring of `depth`
};

static uint8_t in[BUFFER], *frames;
static size_t frameSize, replySize;
static int depth, poller;
static unsigned long long replies, histogram[BUCKETS];

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) { perror(what), exit(3); }

static double cpuSeconds(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

// Log-linear: 64 buckets for each power of two, 1.6 % wide.
static void count(uint64_t ns, unsigned times) {
  int shift = ns < SUB ? 0 : 58 - __builtin_clzll(ns);
  size_t bucket = ns < SUB ? ns : (size_t)shift * SUB + (ns >> shift);
  histogram[bucket < BUCKETS ? bucket : BUCKETS - 1] += times;
}

static double percentileMs(double share) {
  unsigned long long seen = 0, wanted = (unsigned long long)(share * (double)replies);
  for (size_t i = 0; i < BUCKETS; i++) {
    seen += histogram[i];
    size_t shift = i < 2 * SUB ? 0 : i / SUB - 1;
    if (seen > wanted) return (double)((i - shift * SUB) << shift) / 1e6;
  }
  return 0;
}

static void sendMessages(struct connection *c, unsigned messages, uint64_t at) {
  for (unsigned i = 0; i < messages; i++) c->sentAt[c->tail++ % (unsigned)depth] = at;
  ssize_t taken = send(c->fd, frames, messages * frameSize, MSG_NOSIGNAL);
  if (taken < 0 && errno != EAGAIN) fail("send");
  c->unsent = (uint32_t)(messages * frameSize - (size_t)(taken < 0 ? 0 : taken));
  while (c->unsent) {  // only when the send buffer is smaller than what is in flight
    taken = send(c->fd, frames + messages * frameSize - c->unsent, c->unsent, MSG_NOSIGNAL);
    if (taken > 0) c->unsent -= (uint32_t)taken;
    else if (errno != EAGAIN) fail("send");
  }
}

// Returns the number of replies.
static unsigned receive(struct connection *c, int counted, uint64_t at) {
  ssize_t got = recv(c->fd, in, BUFFER, 0);
  if (got <= 0) fail("recv");
  size_t bytes = c->partial + (size_t)got;
  unsigned messages = (unsigned)(bytes / replySize);
  c->partial = (uint32_t)(bytes % replySize);
  for (unsigned i = 0; i < messages && counted;) {  // those sent together came together
    uint64_t sent = c->sentAt[(c->head + i) % (unsigned)depth];
    unsigned same = 1;
    while (i + same < messages && c->sentAt[(c->head + i + same) % (unsigned)depth] == sent) same++;
    count(at - sent, same);
    i += same;
  }
  c->head += messages;
  if (counted) replies += messages;
  return messages;
}

static int dial(int port) {
  static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (send(fd, request, sizeof request - 1, 0) < 0) fail("send");
  return fd;
}

static void handshake(int fd) {
  char head[4096] = {0};
  for (size_t length = 0; !strstr(head, "\r\n\r\n"); length++)
    if (recv(fd, head + length, 1, 0) != 1 || length > 4000) fail("handshake");
  if (strncmp(head, "HTTP/1.1 101", 12)) fail("handshake");
}

// A masked binary frame (RFC 6455 section 5.2), `depth` times in a row. The masking key is not
// zero: some servers skip the unmasking of a zero key.
static void makeFrames(size_t payload) {
  size_t head = payload < 126 ? 2 : payload < 65536 ? 4 : 10;
  static const uint8_t key[4] = {0x5a, 0xc3, 0x17, 0x9e};
  frameSize = head + 4 + payload, replySize = head + payload;
  frames = malloc(frameSize * (size_t)depth);
  frames[0] = 0x82, frames[1] = (uint8_t)(128 | (head == 2 ? payload : head == 4 ? 126 : 127));
  for (size_t i = 2; i < head; i++) frames[i] = (uint8_t)(payload >> 8 * (head - 1 - i));
  memcpy(frames + head, key, 4);
  for (size_t i = 0; i < payload; i++) frames[head + 4 + i] = (uint8_t)i ^ key[i % 4];
  for (int i = 1; i < depth; i++) memcpy(frames + frameSize * (size_t)i, frames, frameSize);
}

int main(int argumentCount, char **arguments) {
  if (argumentCount < 6) return fputs("port connections depth bytes seconds [rate]\n", stderr), 2;
  int port = atoi(arguments[1]), connections = atoi(arguments[2]);
  depth = atoi(arguments[3]);
  makeFrames((size_t)atol(arguments[4]));
  uint64_t duration = (uint64_t)(atof(arguments[5]) * 1e9);
  double rate = argumentCount > 6 ? atof(arguments[6]) : 0;
  struct connection *table = calloc((size_t)connections, sizeof *table);
  struct epoll_event events[512];
  poller = epoll_create1(0);
  uint64_t dialled = now();
  for (int i = 0; i < connections; i++) table[i].fd = dial(port);
  for (int i = 0; i < connections; i++) handshake(table[i].fd);
  double opening = cpuSeconds();
  uint64_t start = now(), measureFrom = start + duration / 5, until = start + duration;
  for (int i = 0; i < connections; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &table[i]};
    epoll_ctl(poller, EPOLL_CTL_ADD, table[i].fd, &event);
    table[i].sentAt = calloc((size_t)depth, sizeof(uint64_t));
    if (!rate) sendMessages(&table[i], (unsigned)depth, now());
  }
  double cpu = 0;
  uint64_t at = now(), sent = 0, ticked = 0;
  for (int counted = 0; at < until;) {
    int ready = epoll_wait(poller, events, 512, rate ? 1 : 100);
    for (int i = 0; i < ready; i++) {
      at = now();
      if (!counted && at >= measureFrom) counted = 1, cpu = cpuSeconds(), measureFrom = at;
      unsigned messages = receive(events[i].data.ptr, counted, at);
      if (messages && !rate && at < until) sendMessages(events[i].data.ptr, messages, at);
    }
    if (!ready || rate) at = now();
    if (!rate || (at - start) / 1000000 == ticked) continue;
    ticked = (at - start) / 1000000;
    for (uint64_t due; (due = start + (uint64_t)((double)sent * 1e9 / rate)) <= at && due < until; sent++) {
      struct connection *c = &table[sent % (uint64_t)connections];
      if (c->tail - c->head == (uint32_t)depth) return fputs("depth: too many in flight\n", stderr), 4;
      sendMessages(c, 1, due);
    }
  }
  double seconds = (double)(at - measureFrom) / 1e9;
  cpu = cpuSeconds() - cpu;
  printf("{\"roundTripsPerSecond\":%.0f,\"cpuUsPerMessage\":%.4f,\"p50\":%.4f,\"p99\":%.4f,"
         "\"messages\":%llu,\"connectMs\":%.1f,\"connectCpuMs\":%.1f}\n",
         (double)replies / seconds, replies ? cpu * 1e6 / (double)replies : 0, percentileMs(0.5), percentileMs(0.99),
         replies, (double)(start - dialled) / 1e6, opening * 1e3);
}
