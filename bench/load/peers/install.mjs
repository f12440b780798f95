// node bench/load/peers/install.mjs [k6] [artillery]: has the peers that a package manager can
// bring, into a cache folder of the user's, some 700 MB; what is there already stays as it is.
import { peers } from './index.mjs';

const wanted = process.argv.slice(2);
for (const { name, install, missing } of peers) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const reason = missing();
  if (reason === null) console.log(`${name}: here`);
  else if (install) install();
  else console.log(`${name}: ${reason}`);
}
