import type { Browser } from 'playwright-core';
import { installDebian, program, requirement } from './requirement.ts';

const EXECUTABLE = '/usr/bin/chromium';

/** Gives `describe` for tests that need a browser, or its skipping form. */
export function browserRequirement(name: string): ReturnType<typeof requirement> {
  return requirement(name, program(EXECUTABLE, ['--version']), () => installDebian('chromium'));
}

/** Starts a headless Chromium with a profile of its own that asks the network for nothing. */
export async function launchChromium(): Promise<Browser> {
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
