import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { toolCallOf } from '../../../../src/core/calls.ts';
import {
  BUILT_IN_SCENARIOS,
  checkScenario,
  loadScenario,
  parseScenario,
} from '../../../../src/load/scenario/index.ts';
import type { ExpectStep, SendStep, Step } from '../../../../src/load/scenario/scenario.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { usageErrorOf } from '../../../support/usage-error.ts';

/** The lines of the error that reading `text` as s.yaml ends in. */
function faultsOf(text: string): string[] {
  const error = usageErrorOf(() => parseScenario(text, 's.yaml'));
  expect(error.code).toBe('WSK_ERR_INVALID_INPUT');
  return error.message.split('\n');
}

/** The faults of a client with these steps, which begin on line 2. */
function faultsOfSteps(steps: string): string[] {
  return faultsOf(`steps:\n${steps}`);
}

function stepsOf(text: string): readonly Step[] {
  return parseScenario(text, 's.yaml').clients[0]?.steps ?? [];
}

describe('a fault is told with its file, line and column', () => {
  it.each([
    [
      'an unknown step, with the nearest',
      '  - conect',
      's.yaml:2:5: unknown step "conect" (did you mean connect?)',
    ],
    [
      'an unknown step with a value',
      '  - expet: any',
      's.yaml:2:5: unknown step "expet" (did you mean expect?)',
    ],
    [
      'a key that stands too far left',
      '  - send: hi\n    label: x',
      's.yaml:3:5: unknown step "label" (indent it more?)',
    ],
    [
      'two steps in one',
      '  - send: hi\n    expect: any',
      's.yaml:3:5: expect and send are one step, expected a "-" each',
    ],
    ['a step that needs a value', '  - send', 's.yaml:2:5: send needs a value'],
    [
      'a number for a step',
      '  - 5',
      's.yaml:2:5: 5 is not a step, expected one of connect, send, expect, think, loop, close',
    ],
    [
      'a header that the handshake sets itself, with what sets it instead',
      '  - connect: { headers: { X-Any: a, sec-websocket-Protocol: chat } }',
      's.yaml:2:37: key "sec-websocket-Protocol": sec-websocket-Protocol is a field of the opening handshake itself: offer one with --subprotocol (subprotocol in a scenario)',
    ],
    [
      'a header whose name is none',
      '  - connect: { headers: { "X Any": a } }',
      's.yaml:2:27: key "X Any": expected the name of a header',
    ],
    [
      'an unknown key of a step',
      '  - expect: { jsn: { a: 1 } }',
      's.yaml:2:15: unknown key "jsn" (did you mean json?)',
    ],
    [
      'an unknown variable',
      '  - send: "{{uid}}"',
      's.yaml:2:11: unknown variable {{uid}} (did you mean uuid?)',
    ],
    [
      'an alias that contains itself',
      '  - &a [*a]',
      's.yaml:1:1: it is nested too deeply, or an alias contains itself',
    ],
    ['a template without an end', '  - send: "{{uuid"', 's.yaml:2:11: "{{" without "}}"'],
    [
      'a template without a name',
      '  - send: "{{ }}"',
      's.yaml:2:11: {{ }} names no variable, expected {{name}} or {{name.key}}',
    ],
    [
      'a bad regular expression',
      '  - expect: { regex: "(" }',
      's.yaml:2:22: regex is "(": Invalid regular expression: /(/: Unterminated group',
    ],
    [
      'a bad path',
      '  - expect: { json: { a..b: 1 } }',
      's.yaml:2:23: "a..b" is not a path; a path looks like $.user.roles[0]',
    ],
    [
      'a group that is not there',
      '  - expect: { any: true, capture: { id: { regex: "a", group: 1 } } }',
      's.yaml:2:41: regex "a" has no group 1',
    ],
    [
      'an expectation of nothing',
      '  - expect: {}',
      's.yaml:2:13: no condition on the message, expected one of any, json, exists, absent, contains, text, regex, binary',
    ],
    [
      'a timeout that is none',
      '  - expect: { any: true, timeout: soon }',
      's.yaml:2:35: timeout is "soon": expected a duration such as 500ms or 10s',
    ],
    [
      'a think time that is none',
      '  - think: 3s..1s',
      's.yaml:2:12: think is "3s..1s", expected a duration such as 500ms, or a range such as 1s..3s',
    ],
    [
      'binary data that is no base64',
      '  - send: { binary: "a=b" }',
      's.yaml:2:21: binary is "a=b", expected base64',
    ],
    [
      'two payloads',
      '  - send: { text: a, json: 1 }',
      's.yaml:2:11: text and json, expected one of text, json, binary',
    ],
    [
      'a loop without exit',
      '  - loop: { steps: [{ expect: any }] }',
      's.yaml:2:11: loop without exit, expected one of times, for, forever',
    ],
    [
      'a loop with two exits',
      '  - loop: { times: 2, forever: true, steps: [{ expect: any }] }',
      's.yaml:2:11: loop with times and forever, expected one of times, for, forever',
    ],
    [
      'a loop that never waits',
      '  - loop: { forever: true, steps: [{ send: hi }] }',
      's.yaml:2:11: loop that never waits (add every:, an expect or a think)',
    ],
    ['a loop without steps', '  - loop: { times: 2, steps: [] }', 's.yaml:2:30: steps are empty'],
    [
      'a loop of no times',
      '  - loop: { times: 0, steps: [{ send: hi }] }',
      's.yaml:2:20: times is 0: expected 1 or more',
    ],
    [
      'a second schedule',
      '  - loop: { times: 2, every: 1s, steps: [{ send: a }] }\n  - loop: { times: 2, every: 1s, steps: [{ send: a }] }',
      's.yaml:3:23: a second every, expected one loop with a schedule for each client',
    ],
    [
      'a step after a loop without end',
      '  - loop: { forever: true, steps: [{ expect: any }] }\n  - send: bye',
      's.yaml:3:5: this step is never reached, the loop before it has no end',
    ],
    [
      'a loop that closes and sends',
      '  - loop: { times: 2, steps: [{ send: a }, close] }',
      's.yaml:2:11: the connection is closed after a pass and open before it, so that the next pass cannot begin',
    ],
    [
      'sending before connecting',
      '  - send: hi\n  - connect',
      's.yaml:2:11: send without a connection, expected a connect before it',
    ],
    [
      'sending after closing',
      '  - close: 1000\n  - send: hi',
      's.yaml:3:11: send without a connection, expected a connect before it',
    ],
    [
      'connecting twice',
      '  - connect\n  - connect',
      's.yaml:3:5: connect while connected, expected a close before it',
    ],
    [
      'a close code that may not be sent',
      '  - close: 1006',
      's.yaml:2:12: close is 1006: expected a close code that may be sent',
    ],
    [
      'a subprotocol that is no token',
      '  - connect: { subprotocol: "a b" }',
      's.yaml:2:29: subprotocol is "a b": expected a token (RFC 9110 section 5.6.2)',
    ],
    [
      'a path without a slash',
      '  - connect: { path: chat }',
      's.yaml:2:22: path is "chat": expected a path that begins with "/"',
    ],
  ])('%s', (_, steps, fault) => {
    expect(faultsOfSteps(steps)).toContain(fault);
  });

  it.each([
    ['what is no YAML', 'steps: [', 's.yaml:1:9: '],
    [
      'a key that comes twice',
      'name: a\nname: b\nsteps: [think: 1s]',
      's.yaml:2:1: map keys must be unique',
    ],
    ['an empty file', '', 's.yaml:1:1: '],
    [
      'an unknown key, with the nearest',
      'stepz: []',
      's.yaml:1:1: unknown key "stepz" (did you mean steps?)',
    ],
    ['no clients', 'name: x', 's.yaml:1:1: neither clients nor steps, expected one of the two'],
    ['an empty list of clients', 'clients: []', 's.yaml:1:10: clients are empty'],
    ['no steps', 'steps: []', 's.yaml:1:8: steps are empty'],
    [
      'a weight of 0',
      'clients:\n  - weight: 0\n    steps: [connect]',
      's.yaml:2:13: weight is 0: expected more than 0',
    ],
    [
      'a second client of one name',
      'clients:\n  - { name: a, steps: [connect] }\n  - { name: a, steps: [connect] }',
      's.yaml:3:13: a second client of the name "a"',
    ],
    [
      'handlers that belong to no client',
      'clients: [{ steps: [connect] }]\non: []',
      's.yaml:2:1: on belongs to one of the clients',
    ],
    [
      'a built-in variable',
      'data: { uuid: 1 }\nsteps: [connect]',
      's.yaml:1:9: uuid is a built-in variable, expected another name',
    ],
    [
      'a variable without a source',
      'data: { a: {} }\nsteps: [connect]',
      's.yaml:1:12: no source, expected one of integer, text, uuid, sequence, choice, list, csv',
    ],
    [
      'a range that is none',
      'data: { a: { integer: 6..1 } }\nsteps: [connect]',
      's.yaml:1:23: integer is "6..1", expected a whole number or a range such as 1..6',
    ],
    [
      'a key of another source',
      'data: { a: { uuid: true, step: 2 } }\nsteps: [connect]',
      's.yaml:1:26: step belongs to sequence, not to uuid',
    ],
    [
      'a file that is not there',
      'data: { a: { csv: no.csv } }\nsteps: [connect]',
      's.yaml:1:19: cannot read no.csv: ',
    ],
    [
      'a column that is not there',
      'data: { a: { list: [{ name: x }] } }\nsteps: [{ send: "{{a.nam}}" }]',
      's.yaml:2:17: {{a.nam}} has no value (did you mean name?)',
    ],
  ])('%s', (_, text, fault) => {
    const line = faultsOf(text).find((each) => each.startsWith(fault));
    expect(line, faultsOf(text).join('\n')).toBeDefined();
  });

  it('a capture that is used before it is there, with the place of both', () => {
    const steps = '  - send: "{{id}}"\n  - expect: { any: true, capture: { id: $.id } }\n';
    expect(faultsOfSteps(steps)).toEqual([
      's.yaml:2:11: {{id}} is used before it is captured, at 3:41',
    ]);
  });

  it('all of them at once, in their order', () => {
    expect(faultsOfSteps('  - conect\n  - think: x\n  - close: 1')).toHaveLength(3);
  });

  it('does not take a wrong variable or capture for an unknown one', () => {
    const text = [
      'data: { n: { integer: x } }',
      'steps:',
      '  - expect: { any: true, timeout: x, capture: { id: $.id } }',
      '  - send: "{{n}} {{id}}"',
    ].join('\n');
    expect(faultsOf(text)).toHaveLength(2);
  });
});

describe('a scenario', () => {
  it('is named after its file when it has no name', () => {
    expect(parseScenario('steps: [connect]', '/tmp/rooms.yaml').name).toBe('rooms');
  });

  it('connects first when no step does', () => {
    expect(stepsOf('steps: [{ send: hi }]').map(({ kind }) => kind)).toEqual(['connect', 'send']);
  });

  it('pairs expectations with the sends before them, in order', () => {
    const steps = stepsOf(
      'steps: [{ send: a }, { send: b }, { expect: any }, { expect: any }, { expect: any }]',
    );
    const expects = steps.filter((step): step is ExpectStep => step.kind === 'expect');
    expect(expects.map(({ replyTo, completes }) => [replyTo, completes])).toEqual([
      [0, true],
      [1, true],
      // Nothing is left to be answered: measured from the latest answered send, no message of its own.
      [1, false],
    ]);
  });

  it('waits for no reply to a send that no expectation follows', () => {
    const steps = stepsOf('steps: [{ send: a }, { expect: any }, { send: b }]');
    const sends = steps.filter((step): step is SendStep => step.kind === 'send');
    expect(sends.map(({ awaited }) => awaited)).toEqual([true, false]);
  });

  it('counts the messages of a pass, those of inner loops as often as they come', () => {
    const [, loop] = stepsOf(`
steps:
  - loop:
      forever: true
      steps:
        - send: a
        - expect: any
        - loop: { times: 3, steps: [{ send: b }, { expect: any }] }
`);
    expect(loop).toMatchObject({ kind: 'loop', messages: 4 });
  });

  it('reads rows of a CSV file beside it', () => {
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, 'users.csv'), 'name,word\nada,"a ""b"", c"\nbob,x\n');
    const text = 'data: { user: { csv: users.csv } }\nsteps: [{ send: "{{user.name}}" }]';
    const [variable] = parseScenario(text, path.join(folder, 's.yaml')).variables;
    expect(variable?.source).toEqual({
      kind: 'values',
      order: 'cycle',
      values: [
        { name: 'ada', word: 'a "b", c' },
        { name: 'bob', word: 'x' },
      ],
    });
  });

  it('is plain JSON that can be checked elsewhere', () => {
    for (const name of Object.keys(BUILT_IN_SCENARIOS)) {
      const scenario = loadScenario(name, '.');
      expect(checkScenario(JSON.parse(JSON.stringify(scenario)))).toEqual(scenario);
    }
  });

  it('is refused when what comes from elsewhere has another shape', () => {
    const error = usageErrorOf(() => checkScenario({ name: 'x', variables: [], clients: [] }));
    expect(error.message).toMatch(/^this is not a scenario: clients: /);
  });
});

describe('loadScenario', () => {
  it('says which built-in scenario is near when there is no such file', () => {
    const error = usageErrorOf(() => loadScenario('jsonrpc', temporaryFolder()));
    expect(error).toMatchObject({
      code: 'WSK_ERR_FILE_NOT_READABLE',
      message: 'cannot read the scenario jsonrpc (ENOENT)',
      hint: 'did you mean json-rpc?',
    });
  });

  it('calls a tool of MCP that is named, with variables, and pings without one', () => {
    const sent = (tool?: string): string =>
      JSON.stringify(loadScenario('mcp', '.', tool === undefined ? undefined : toolCallOf(tool)));
    expect(sent()).toMatch(/"ping/);
    const calls = sent(`add {"a": "it's: {{pass}}"}`);
    expect(calls).toMatch(/tools\/call/);
    expect(calls).toMatch(/it's: /);
    expect(() => sent('add {"a": "{{"}')).toThrow(/"{{" without "}}"/);
    for (const text of ['', 'add [1]', 'add {', 'add 5', '{"a": 1}']) {
      expect(toolCallOf(text), text).toBeUndefined();
    }
    expect(toolCallOf('add')).toEqual({ name: 'add', arguments: {} });
  });

  it('says no name for what is a path', () => {
    const error = usageErrorOf(() => loadScenario('./chat.yaml', temporaryFolder()));
    expect(error.hint).toBeUndefined();
  });
});
