import { artillery } from './artillery.mjs';
import { k6 } from './k6.mjs';
import { tcpkali } from './tcpkali.mjs';
import { tsung } from './tsung.mjs';
import { ws } from './ws.mjs';

export const peers = [k6, artillery, tsung, tcpkali, ws];
