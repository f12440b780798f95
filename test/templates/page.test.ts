import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { TYPE_FEATURES } from '../../src/generate/answers.ts';
import type { ClientType } from '../../src/generate/client.ts';
import {
  browserRequirement,
  launchChromium,
  openPage,
  PHONE_WIDTH,
  phoneFaults,
} from '../support/chromium.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';

/** Runs the server as `npm run demo` does, for the running test; where its page is. */
async function demo({ folder }: GeneratedServer): Promise<string> {
  const child = spawn(process.execPath, ['dist/src/supervise.js'], {
    cwd: folder,
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  return await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, url] = /Open (http:\S+)/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
    void exited.then(() => reject(new Error('the demo ended before its server listened')));
  });
}

browserRequirement('the page of generated servers')('the page of a generated', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
  });

  /** Opens the page; what is wrong with the page itself fails the test. */
  const visit = (url: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<Page> =>
    // Chromium itself says that a connection is lost.
    openPage(browser, url, {
      ...options,
      ignored: /net::ERR_|WebSocket connection to|Failed to load resource/,
    });

  const signIn = async (page: Page, name: string): Promise<void> => {
    await page.getByLabel('Name').fill(name);
    await page.getByRole('button', { name: 'Connect' }).click();
  };
  /** Opens the page under a name, and waits until it is connected. */
  async function open(
    url: string,
    name: string,
    options?: Parameters<Browser['newPage']>[0],
  ): Promise<Page> {
    const page = await visit(url, options);
    await signIn(page, name);
    await page.getByText('Connected', { exact: true }).first().waitFor();
    return page;
  }

  const generated = new Map<ClientType | 'collab', GeneratedServer>();
  afterAll(() => {
    for (const server of generated.values()) server.dispose();
  });
  async function serverOf(type: ClientType | 'collab'): Promise<GeneratedServer> {
    const features = [...TYPE_FEATURES[type]];
    const server = generated.get(type) ?? (await generateForTest({ type, features }));
    generated.set(type, server);
    return server;
  }

  const press = async (page: Page, name: string): Promise<void> =>
    await page.getByRole('button', { name, exact: true }).click();
  const seen = async (page: Page, text: string): Promise<void> =>
    await page.locator('#log').getByText(text, { exact: true }).waitFor();
  const marks = async (page: Page): Promise<(string | null)[][]> => {
    const found = await page.locator('#log [data-recovered]').all();
    return await Promise.all(
      found.map(
        async (mark) =>
          await Promise.all([mark.getAttribute('data-recovered'), mark.getAttribute('data-count')]),
      ),
    );
  };

  describe('chat server', () => {
    const say = async (page: Page, text: string): Promise<void> => {
      await page.getByLabel('Message').fill(text);
      await press(page, 'Send');
    };

    it('shows two people who chat, and what a cut and a killed server cost', async () => {
      const url = await demo(await serverOf('chat'));
      const ada = await open(url, 'ada');
      await say(ada, 'first');
      await seen(ada, 'first');
      // Who comes later gets the history, and both see each other.
      const bob = await open(url, 'bob');
      await seen(bob, 'first');
      await ada.locator('#members').getByText('bob', { exact: true }).waitFor();
      await bob.locator('#members').getByText('bob (you)', { exact: true }).waitFor();
      await say(bob, '<img src=x onerror=alert(1)>');
      await seen(ada, '<img src=x onerror=alert(1)>');
      expect(await ada.locator('#log img').count()).toBe(0);

      // What is written meanwhile comes after the cut, and what waits is sent.
      await press(bob, 'Cut the connection');
      await bob.locator('#reason').getByText('you have cut the connection').waitFor();
      await say(ada, 'one');
      await say(ada, 'two');
      await seen(ada, 'two');
      await say(bob, 'from far away');
      await bob.getByText('Not sent yet: from far away').waitFor();
      await press(bob, 'Connect again');
      await seen(bob, 'two');
      await seen(ada, 'from far away');
      await seen(bob, 'from far away');
      expect(await marks(bob)).toEqual([['true', '2']]);
      expect(await bob.getByText('Not sent yet: from far away').count()).toBe(0);

      // The memory of the server is gone: that is said, and everything works on.
      await press(ada, 'Stop the server');
      for (const page of [ada, bob]) {
        await page.locator('#log [data-recovered=false][data-count="0"]').waitFor();
      }
      await say(ada, 'a new start');
      await seen(bob, 'a new start');
      expect(await marks(bob)).toEqual([
        ['true', '2'],
        ['false', '0'],
      ]);
      expect(await marks(ada)).toEqual([['false', '0']]);
    });

    it('fits a telephone', async () => {
      const url = await demo(await serverOf('chat'));
      const page = await open(url, 'ada', { viewport: { width: PHONE_WIDTH, height: 844 } });
      await say(page, 'a long word: '.repeat(20) + 'x'.repeat(300));
      await page.locator('#log [data-offset]').waitFor();
      expect(await phoneFaults(page)).toEqual([]);
    });
  });

  it('pubsub server shows events, and resumes', async () => {
    const url = await demo(await serverOf('pubsub'));
    const ada = await open(url, 'ada');
    const bob = await open(url, 'bob');
    const publish = async (page: Page, topic: string, data: string): Promise<void> => {
      await page.getByLabel('Topic', { exact: true }).fill(topic);
      await page.getByLabel('Data, as JSON or text').fill(data);
      await press(page, 'Publish');
    };
    await publish(ada, 'demo.prices', '{"price": 10}');
    await seen(bob, '{"price":10}');
    await press(bob, 'Cut the connection');
    await publish(ada, 'demo.prices', '11');
    await seen(ada, '11');
    await press(bob, 'Connect again');
    await seen(bob, '11');
    expect(await marks(bob)).toEqual([['true', '1']]);
    await press(ada, 'Stop the server');
    await bob.locator('#log [data-recovered=false]').waitFor();
    await publish(ada, 'demo.prices', '"text"');
    await seen(bob, '"text"');
  });

  it('live-updates server shows a document that changes, and resumes', async () => {
    const url = await demo(await serverOf('live-updates'));
    const [ada, bob] = [await open(url, 'ada'), await open(url, 'bob')];
    const offset = async (page: Page): Promise<number> =>
      Number(await page.locator('#log [data-offset]').last().getAttribute('data-offset'));
    await bob.locator('#document').getByText('"bread": ').waitFor();
    await press(bob, 'Cut the connection');
    const missed = (await offset(bob)) + 2;
    await ada.locator(`#log [data-offset="${missed}"]`).waitFor();
    await press(bob, 'Connect again');
    await bob.locator(`#log [data-offset="${missed}"]`).waitFor();
    const [[recovered, count] = []] = await marks(bob);
    expect(recovered).toBe('true');
    expect(Number(count)).toBeGreaterThanOrEqual(2);
    await press(ada, 'Stop the server');
    await bob.locator('#log [data-recovered=false]').waitFor();
    await bob.locator('#document').getByText('"bread": ').waitFor();
  });

  describe('collab server', () => {
    let url: string;
    let server: GeneratedServer;
    const bundle = ({ folder }: GeneratedServer): void => {
      execFileSync('npm', ['run', 'postbuild'], { cwd: folder, stdio: 'pipe' });
    };
    beforeAll(async () => {
      server = await serverOf('collab');
      bundle(server);
    });
    beforeEach(async () => {
      url = await demo(server);
    });
    const editor = (page: Page): Locator => page.locator('#editor');
    const reads = async (page: Page, text: string): Promise<void> => {
      await expect.poll(() => editor(page).inputValue(), { timeout: 10_000 }).toBe(text);
    };
    const caret = async (page: Page): Promise<unknown> =>
      await page.evaluate(
        '(({ selectionStart, selectionEnd }) => [selectionStart, selectionEnd])(editor)',
      );
    const place = async (page: Page, start: number, end = start): Promise<void> => {
      await editor(page).focus();
      await page.evaluate(`editor.setSelectionRange(${start}, ${end})`);
    };
    const type = async (page: Page, text: string): Promise<void> =>
      await page.keyboard.insertText(text);

    it('merges what two have written while one was offline, and the server forgot all', async () => {
      const [ada, bob] = [await open(url, 'ada'), await open(url, 'bob')];
      await type(ada, 'one two three');
      await reads(bob, 'one two three');
      for (const [page, other] of [
        [ada, 'bob'],
        [bob, 'ada'],
      ] as const) {
        await page.locator('#members').getByText(other, { exact: true }).waitFor();
      }
      await press(bob, 'Go offline');
      await bob.getByText('Offline', { exact: true }).first().waitFor();
      await ada.locator('#members').getByText('bob').waitFor({ state: 'detached' });
      await place(ada, 0);
      await type(ada, 'zero ');
      await place(bob, 4, 7);
      await type(bob, '2');
      await place(bob, 11);
      await type(bob, ' <b>four</b>');
      await reads(ada, 'zero one two three');
      await reads(bob, 'one 2 three <b>four</b>');
      await press(bob, 'Go online');
      for (const page of [ada, bob]) await reads(page, 'zero one 2 three <b>four</b>');

      // What each undoes is what it has done itself.
      await press(ada, 'Undo');
      for (const page of [ada, bob]) await reads(page, 'one 2 three <b>four</b>');
      await editor(bob).focus();
      await bob.keyboard.press('Control+z');
      await bob.keyboard.press('Control+z');
      for (const page of [ada, bob]) await reads(page, 'one two three');
      await press(bob, 'Redo');
      await bob.keyboard.press('Control+y');
      for (const page of [ada, bob]) await reads(page, 'one 2 three <b>four</b>');

      // The memory of the server is gone, but not that of the pages.
      await press(ada, 'Stop the server');
      await ada.locator('#state[data-state=connecting]').waitFor();
      await ada.locator('#state[data-state=open]').waitFor();
      await place(ada, 0);
      await type(ada, 'after all: ');
      await reads(bob, 'after all: one 2 three <b>four</b>');
    });

    it('says why a token is refused, and tries it once more when it is online again', async () => {
      const page = await visit(url);
      await page.getByText('Use a token of your own').click();
      await page.getByLabel('Token').fill('nonsense');
      await signIn(page, 'ada');
      const isRefused = async (): Promise<void> => {
        await page.locator('#state[data-state=closed]').waitFor();
        expect(await page.locator('#reason').textContent()).toBe('the token was refused');
      };
      await isRefused();
      await press(page, 'Go offline');
      await page.locator('#state[data-state=idle]').waitFor();
      expect(await page.locator('#reason').textContent()).toBe('');
      await press(page, 'Go online');
      await isRefused();
    });

    it('needs no token where the server wants none', async () => {
      const plain = await generateForTest({ type: 'collab', features: [] });
      onTestFinished(() => plain.dispose());
      bundle(plain);
      const address = await demo(plain);
      const [ada, bob] = [await open(address, 'ada'), await open(address, 'bob')];
      await type(ada, 'one');
      await reads(bob, 'one');
    });

    it('keeps the caret and the selection while others write, and characters whole', async () => {
      const [ada, bob] = [await open(url, 'ada'), await open(url, 'bob')];
      await type(ada, 'aaaa 😀 end');
      await reads(bob, 'aaaa 😀 end');
      // One more of the same letters: where it was typed is where the caret is.
      await place(ada, 2);
      await place(bob, 3, 7);
      await type(ada, 'a');
      await reads(bob, 'aaaaa 😀 end');
      expect(await caret(bob)).toEqual([4, 8]);
      // Others insert at the caret, and at both ends of a selection.
      await place(bob, 5);
      await place(ada, 5);
      await type(ada, '!');
      await reads(bob, 'aaaaa! 😀 end');
      expect(await caret(bob)).toEqual([5, 5]);
      await place(bob, 0, 5);
      await place(ada, 1, 4);
      await ada.keyboard.press('Delete');
      await reads(bob, 'aa! 😀 end');
      expect(await caret(bob)).toEqual([0, 2]);
      // Both begin with the same unit.
      await place(ada, 4, 6);
      await type(ada, '😁');
      await reads(bob, 'aa! 😁 end');
      await ada.keyboard.press('Control+z');
      await reads(bob, 'aa! 😀 end');
      expect(await caret(ada)).toEqual([6, 6]);
    });

    it('lets others write while characters are composed', async () => {
      const [ada, bob] = [await open(url, 'ada'), await open(url, 'bob')];
      await type(ada, 'start end');
      await reads(bob, 'start end');
      await place(ada, 6);
      const devtools = await ada.context().newCDPSession(ada);
      const compose = async (text: string): Promise<void> => {
        const [selectionStart, selectionEnd] = [text.length, text.length];
        await devtools.send('Input.imeSetComposition', { text, selectionStart, selectionEnd });
      };
      await compose('に');
      await place(bob, 0);
      await type(bob, 'the ');
      await ada.getByText('13 characters').waitFor();
      await compose('にほ');
      await reads(ada, 'start にほend');
      await devtools.send('Input.insertText', { text: '日本' });
      for (const page of [ada, bob]) await reads(page, 'the start 日本end');
      expect(await caret(ada)).toEqual([12, 12]);
    });

    it('fits a telephone', async () => {
      const page = await open(url, 'ada', { viewport: { width: PHONE_WIDTH, height: 844 } });
      await type(page, 'a long word: '.repeat(20) + 'x'.repeat(300));
      expect(await phoneFaults(page)).toEqual([]);
    });
  });
});
