// The least that a WebSocket echo server can cost: one thread, epoll, one read and one write for
// all the frames that came together. The server that no generator of the benchmarks is limited by.
//
//   echo-server [port, 0: any] [processes that share the port, 1]
//
// Prints {"port":N,"pids":[...]} when it listens, and what a process has echoed so far whenever it
// gets SIGUSR2: the count of the messages that no generator can talk itself out of.
// Frames are echoed as they are (RFC 6455 section 5.2), so fragments stay fragments; nothing is
// validated but the mask and the size.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, DESCRIPTORS = 1 << 17 };

struct connection {
  uint8_t open;           // the handshake is done
  uint8_t closing;        // close when all is written
  uint8_t *in, *out;      // what is left of an incomplete frame; what the kernel did not take
  uint32_t inLength, outLength;
};

static struct connection table[DESCRIPTORS];
static uint8_t in[BUFFER], out[BUFFER + 64];
static unsigned long long messages, opened;
static volatile sig_atomic_t stopped, asked;
static int poller;

static void note(int signal) { *(signal == SIGUSR2 ? &asked : &stopped) = 1; }

static uint32_t rotate(uint32_t value, int by) { return value << by | value >> (32 - by); }

// FIPS 180-4; of texts below 120 bytes.
static void sha1(const char *text, uint8_t digest[20]) {
  uint8_t block[128] = {0};
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, w[80];
  size_t length = strlen(text), size = length < 56 ? 64 : 128;
  memcpy(block, text, length);
  block[length] = 0x80;
  block[size - 2] = (uint8_t)(length * 8 >> 8), block[size - 1] = (uint8_t)(length * 8);
  for (uint8_t *at = block; at < block + size; at += 64) {
    for (int i = 0; i < 16; i++)
      w[i] = (uint32_t)at[4 * i] << 24 | at[4 * i + 1] << 16 | at[4 * i + 2] << 8 | at[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
      uint32_t f = i < 20 ? (b & c) | (~b & d) : i >= 40 && i < 60 ? (b & c) | (d & (b | c)) : b ^ c ^ d;
      uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
      uint32_t next = rotate(a, 5) + f + e + k + w[i];
      e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

// RFC 6455 section 4.2.2 step 5; the answer is written to `to`, which has room for it.
static int answer(const char *head, char *to) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *key = strcasestr(head, "\r\nsec-websocket-key:");
  if (!key) return -1;
  char text[80], accept[29] = {0};
  uint8_t digest[21] = {0};
  key += strlen("\r\nsec-websocket-key:");
  key += strspn(key, " \t");
  snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  sha1(text, digest);
  for (int i = 0; i < 7; i++) {
    uint32_t bits = digest[3 * i] << 16 | digest[3 * i + 1] << 8 | digest[3 * i + 2];
    for (int j = 0; j < 4; j++) accept[4 * i + j] = digits[bits >> (18 - 6 * j) & 63];
  }
  accept[27] = '=';
  return sprintf(to, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
}

static void end(int fd) {
  free(table[fd].in), free(table[fd].out);
  memset(&table[fd], 0, sizeof table[fd]);
  close(fd);
}

static void keep(uint8_t **at, uint32_t *length, const uint8_t *bytes, size_t count) {
  uint8_t *old = *at;
  *at = count ? memcpy(malloc(count), bytes, count) : NULL;
  *length = (uint32_t)count;
  free(old);
}

// Writes, and reads no more from this connection until the kernel has taken everything.
static void put(int fd, const uint8_t *bytes, size_t length) {
  struct connection *c = &table[fd];
  ssize_t taken = length ? send(fd, bytes, length, MSG_NOSIGNAL) : 0;
  if (taken < 0 && errno != EAGAIN) return end(fd);
  if (taken < 0) taken = 0;
  int waited = c->outLength > 0;
  keep(&c->out, &c->outLength, bytes + taken, length - (size_t)taken);
  if (!c->outLength && c->closing) return end(fd);
  if (waited != (c->outLength > 0)) {
    struct epoll_event event = {.events = waited ? EPOLLIN : EPOLLOUT, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
  }
}

// The frames in `in`, unmasked, to `out`; returns the bytes that are an incomplete frame, -1 for what is wrong.
static ssize_t echo(struct connection *c, size_t length, size_t *written) {
  size_t at = 0, to = 0;
  while (length - at >= 6 && !c->closing) {
    uint8_t *frame = in + at, opcode = frame[0] & 15;
    size_t size = frame[1] & 127, head = 2;
    if (!(frame[1] & 128)) return -1;  // RFC 6455 section 5.1: a client masks
    if (size == 126) head = 4, size = (size_t)frame[2] << 8 | frame[3];
    else if (size == 127) {
      if (length - at < 14) break;
      head = 10, size = 0;
      for (int i = 2; i < 10; i++) size = size << 8 | frame[i];
      if (size > BUFFER - 64) return -1;
    }
    if (length - at < head + 4 + size) break;
    memcpy(out + to, frame, head);
    out[to + 1] &= 127;
    if (opcode == 9) out[to] = 0x8a;
    if (opcode == 8) c->closing = 1;
    uint8_t *payload = frame + head + 4, *target = out + to + head;
    uint32_t mask;
    memcpy(&mask, frame + head, 4);
    size_t i = 0;
    for (; i + 4 <= size; i += 4) {
      uint32_t word;
      memcpy(&word, payload + i, 4);
      word ^= mask;
      memcpy(target + i, &word, 4);
    }
    for (; i < size; i++) target[i] = payload[i] ^ frame[head + i % 4];
    at += head + 4 + size;
    if (opcode != 10) to += head + size;
    messages += opcode < 3 && frame[0] & 128;
  }
  *written = to;
  return (ssize_t)(length - at);
}

static void receive(int fd) {
  struct connection *c = &table[fd];
  size_t length = c->inLength, written = 0;
  if (length) memcpy(in, c->in, length);
  ssize_t got = recv(fd, in + length, BUFFER - 1 - length, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return end(fd);
  length += (size_t)got;
  if (!c->open) {
    in[length] = 0;
    char *head = (char *)in, *rest = strstr(head, "\r\n\r\n");
    if (!rest) return length > 16384 ? end(fd) : keep(&c->in, &c->inLength, in, length);
    int size = answer(head, (char *)out);
    if (size < 0) return end(fd);
    c->open = 1, opened++;
    length -= (size_t)(rest + 4 - head);
    memmove(in, rest + 4, length);
    keep(&c->in, &c->inLength, in, length);
    return put(fd, out, (size_t)size);
  }
  ssize_t left = echo(c, length, &written);
  if (left < 0) return end(fd);
  if (left || c->inLength) keep(&c->in, &c->inLength, in + length - left, (size_t)left);
  if (written) put(fd, out, written);
}

static void serve(int listener) {
  struct epoll_event events[512], event = {.events = EPOLLIN, .data.fd = listener};
  poller = epoll_create1(0);
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  while (!stopped) {
    int count = epoll_wait(poller, events, 512, 100);
    if (asked) {
      asked = 0;
      printf("{\"messages\":%llu,\"opened\":%llu}\n", messages, opened), fflush(stdout);
    }
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd, yes = 1;
      if (fd != listener) {
        if (events[i].events & EPOLLOUT) put(fd, table[fd].out, table[fd].outLength);
        else receive(fd);
        continue;
      }
      for (int next; (next = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        setsockopt(next, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        event.data.fd = next;
        epoll_ctl(poller, EPOLL_CTL_ADD, next, &event);
      }
    }
  }
}

static int listenOn(int port, int *chosen) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
  if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 65535)) return perror("listen"), exit(1), -1;
  getsockname(fd, (struct sockaddr *)&address, &size);
  return *chosen = ntohs(address.sin_port), fd;
}

int main(int count, char **arguments) {
  int port = count > 1 ? atoi(arguments[1]) : 0, processes = count > 2 ? atoi(arguments[2]) : 1;
  struct sigaction action = {.sa_handler = note};
  sigaction(SIGTERM, &action, NULL), sigaction(SIGUSR2, &action, NULL);
  int listeners[64];
  pid_t children[64];
  if (processes < 1 || processes > 64) return 2;
  for (int i = 0; i < processes; i++) listeners[i] = listenOn(port, &port);
  for (int i = 1; i < processes; i++) {
    if (!(children[i] = fork())) {
      for (int j = 0; j < processes; j++) if (j != i) close(listeners[j]);
      return serve(listeners[i]), 0;
    }
  }
  for (int i = 1; i < processes; i++) close(listeners[i]);
  printf("{\"port\":%d,\"pids\":[%d", port, getpid());
  for (int i = 1; i < processes; i++) printf(",%d", children[i]);
  puts("]}"), fflush(stdout);
  serve(listeners[0]);
  for (int i = 1; i < processes; i++) kill(children[i], SIGTERM), waitpid(children[i], NULL, 0);
}
