import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Unit of CPU time in /proc (USER_HZ), independent of the kernel's own tick. */
const TICK_MS = 10;

/** What `/proc/<pid>` shows at one moment. */
export interface ProcessReading {
  /** User and system time since it started, in milliseconds. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** Reads a process; undefined when it does not exist or may not be read. */
export function readProcess(pid: number, proc = '/proc'): ProcessReading | undefined {
  try {
    const fields = statOf(pid, proc);
    // A zombie (Z) or dead process (X) has ended.
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      rssBytes: residentBytes(join(proc, String(pid), 'status')),
    };
  } catch {
    return undefined;
  }
}

/** The fields of `stat` from the third on: state, parent and so forth. */
function statOf(pid: number, proc: string): string[] {
  const stat = readFileSync(join(proc, String(pid), 'stat'), 'latin1');
  // The name in brackets may hold anything, brackets and spaces included.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function parentOf(pid: number, proc: string): number | undefined {
  try {
    return Number(statOf(pid, proc)[1]);
  } catch {
    return undefined;
  }
}

/** `stat` counts pages, whose size differs from machine to machine; `status` has KiB. */
function residentBytes(status: string): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, 'latin1'))?.[1];
  return Number(kib ?? 0) * 1024;
}

/** How many descriptors a process has open; null when they may not be counted. */
export function countDescriptors(pid: number): number | null {
  const folder = `/proc/${pid}/fd`;
  try {
    // Linux 6.2 and later count by themselves: to list ten thousand takes tens of milliseconds.
    return statSync(folder).size || readdirSync(folder).length;
  } catch {
    return null;
  }
}

/** The command line of a process, its words parted by spaces. */
export function commandOf(pid: number, proc = '/proc'): string {
  try {
    const text = readFileSync(join(proc, String(pid), 'cmdline'), 'utf8');
    return text.replaceAll('\0', ' ').trim().slice(0, 200);
  } catch {
    return '';
  }
}

/** All processes. */
export function allProcesses(proc = '/proc'): number[] {
  try {
    return readdirSync(proc)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** The running processes of `pids` and their descendants, without `except` and its descendants. */
export function withDescendants(
  pids: readonly number[],
  { except, proc = '/proc' }: { except: number; proc?: string },
): number[] {
  const children = new Map<number, number[]>();
  for (const pid of allProcesses(proc)) {
    const parent = parentOf(pid, proc);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = new Set<number>();
  const visit = (pid: number): void => {
    if (pid === except || found.has(pid)) return;
    found.add(pid);
    for (const child of children.get(pid) ?? []) visit(child);
  };
  for (const pid of pids) visit(pid);
  return [...found];
}

/** The processes that hold a socket which listens at `port`, of those whose descriptors may be read. */
export function listenersAt(port: number, proc = '/proc'): number[] {
  const inodes = new Set(
    ['net/tcp', 'net/tcp6'].flatMap((file) => listeningInodes(join(proc, file), port)),
  );
  if (inodes.size === 0) return [];
  return allProcesses(proc).filter((pid) => holdsSocket(pid, inodes, proc));
}

function listeningInodes(file: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return readLines(file).flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    // 0A is LISTEN.
    return state === '0A' && local?.endsWith(`:${wanted}`) && inode !== undefined ? [inode] : [];
  });
}

function holdsSocket(pid: number, inodes: ReadonlySet<string>, proc: string): boolean {
  const folder = join(proc, String(pid), 'fd');
  try {
    return readdirSync(folder).some((name) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(join(folder, name)))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    return false;
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').split('\n');
  } catch {
    return [];
  }
}
