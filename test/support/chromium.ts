import type { Browser, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
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

/**
 * Opens a page for the running test, which an error in it fails, and so does a line on its console that `ignored`
 * does not match, or a request for anything that is not below `url`.
 */
export async function openPage(
  browser: Browser,
  url: string,
  options: Parameters<Browser['newPage']>[0] & { hash?: string; ignored?: RegExp } = {},
): Promise<Page> {
  const { hash = '', ignored, ...settings } = options;
  const page = await browser.newPage(settings);
  const problems: string[] = [];
  onTestFinished(async () => {
    await page.close();
    expect(problems).toEqual([]);
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (ignored?.test(message.text()) !== true) problems.push(message.text());
  });
  page.on('request', (request) => {
    const asked = request.url();
    if (!asked.startsWith(url) && !asked.startsWith('data:')) problems.push(asked);
  });
  await page.goto(`${url}${hash}`);
  return page;
}

/** CSS pixels of a telephone's width. */
export const PHONE_WIDTH = 390;

/**
 * What is wrong with a report page on a telephone: the page scrolls sideways, something is cut off where
 * nobody can scroll to it, or a short word is broken in two.
 */
export async function phoneFaults(page: Page): Promise<string[]> {
  return await page.evaluate(`(() => {
    const faults = [];
    const root = document.documentElement;
    if (root.scrollWidth > innerWidth) faults.push('the page is ' + root.scrollWidth + ' wide');
    const name = (one) => one.tagName.toLowerCase() + '.' + one.className;
    for (const one of document.querySelectorAll('body *')) {
      const style = getComputedStyle(one);
      // What is one pixel in size is for screen readers only.
      const cuts = style.overflowX === 'hidden' && one.clientWidth > 1;
      if (cuts && one.scrollWidth > one.clientWidth) faults.push(name(one) + ' is cut off');
    }
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (text.parentElement.closest('script, style, code, .hidden-text, [hidden]')) continue;
      for (const { 0: word, index } of text.data.matchAll(/[\\p{L}\\d.]+/gu)) {
        if (word.length > 12) continue;
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        const tops = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
        if (tops.size > 1) faults.push('"' + word + '" is broken in ' + name(text.parentElement));
      }
    }
    return faults;
  })()`);
}
