import { fail, pass } from '../check.ts';
import type { Check } from '../check.ts';

/** All rules about the server's response in one check; validate-handshake lists them. */
export const handshake: Check = {
  id: 'handshake',
  rfc: '6455#4.2.2',
  title: 'opening handshake',
  run({ session }) {
    const { rules } = session.opening;
    const broken = rules.filter((rule) => rule.verdict === 'fail');
    const [first] = broken;
    const kept = rules.filter((rule) => rule.verdict === 'pass').length;
    const outcome =
      first === undefined
        ? pass(`101, ${kept} rules hold`)
        : fail(
            `${broken.length} broken: ${broken
              .map(
                (rule) => `${rule.id} (RFC ${rule.rfc}): ${rule.seen}, expected ${rule.expected}`,
              )
              .join('; ')}`,
          );
    return Promise.resolve(outcome);
  },
};
