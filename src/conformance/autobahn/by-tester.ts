import type { ExpectedClose } from '../result.ts';

/** How every case ends whose closing is not what it is about. */
export const BY_TESTER: ExpectedClose = {
  closedByMe: true,
  closeCode: [1000],
  requireClean: true,
};
