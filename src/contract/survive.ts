import { EnvironmentError } from '../core/errors.ts';
import type { Lab } from './lab.ts';
import { RowFailure, RowSkip } from './terms.ts';

/** One connection, and whether it gets answers. */
interface Peer {
  lives: () => Promise<void>;
}

/** Whatever one client sends, those who were there before are served, and who comes later is, too. */
export async function survive<P extends Peer>(
  lab: Lab,
  connect: (lab: Lab) => Promise<P>,
  attack: (attacker: P) => Promise<unknown>,
): Promise<void> {
  let bystander: P;
  let attacker: P;
  try {
    bystander = await connect(lab);
    await bystander.lives();
    attacker = await connect(lab);
  } catch (error) {
    if (!(error instanceof RowFailure || error instanceof EnvironmentError)) throw error;
    throw new RowSkip('not judged: the server did not answer before, either');
  }
  await attack(attacker);
  await bystander.lives();
  await (await connect(lab)).lives();
}
