import { expect, it } from 'vitest';
import { projectSettings } from '../../../../../src/operations/benchmark/plan/project.ts';
import { readConfig } from '../../../../../templates/nodejs/chat/src/config.ts';

it.each([1, 7700, 7800, 20_000, 200_000])(
  'lets a chat server take %s connections',
  (connections) => {
    const config = readConfig(projectSettings({ connections }, {}));
    expect(config.MAX_CONNECTIONS).toBeGreaterThan(connections);
    expect(config.MAX_CONNECTIONS_PER_IP).toBeGreaterThan(connections);
    expect(config.MAX_ROOM_MEMBERS).toBeGreaterThan(Math.min(99_999, connections));
    expect(config.HANDSHAKE_RATE).toBe(1_000_000);
  },
);

it('leaves variables that are set', () => {
  const settings = projectSettings({ connections: 1 }, { RATE_LIMIT: '5', MAX_CONNECTIONS: '' });
  expect(settings['RATE_LIMIT']).toBeUndefined();
  expect(settings['MAX_CONNECTIONS']).toBe('10000');
});
