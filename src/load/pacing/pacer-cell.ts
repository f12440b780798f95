/** What a pacer shares with its worker; `version` grows with each change that it has to see. */
export const PacerCell = { stop: 0, posted: 1, version: 2 } as const;
