import { describe, expect, it } from 'vitest';
import { NONE, InFlight } from '../../../../src/load/measure/in-flight.ts';
import { Random } from '../../../support/random.ts';

const queue = (): { head: number; tail: number } => ({ head: NONE, tail: NONE });

describe('InFlight', () => {
  it('does what lists of numbers do, over any number of queues', () => {
    const random = new Random(1);
    const list = new InFlight(2);
    const queues = Array.from({ length: 5 }, () => ({ own: queue(), model: [] as number[] }));
    for (let sequence = 0; sequence < 5000; sequence++) {
      const { own, model } = random.pick(queues);
      if (model.length === 0 || random.oneIn(2)) {
        const entry = list.push(own);
        list.sequence[entry] = sequence;
        model.push(sequence);
      } else if (random.oneIn(2)) {
        expect(list.sequence[list.shift(own)]).toBe(model.shift());
      } else {
        const picked = random.pick(model);
        list.remove(own, list.find(own, picked));
        model.splice(model.indexOf(picked), 1);
      }
      expect(list.size).toBe(queues.reduce((sum, entry) => sum + entry.model.length, 0));
    }
    for (const { own, model } of queues) {
      for (const sequence of model) expect(list.sequence[list.shift(own)]).toBe(sequence);
      expect(own).toEqual(queue());
    }
  });

  it('finds nothing that is not there', () => {
    const list = new InFlight(1);
    const own = queue();
    expect(list.find(own, 1)).toBe(NONE);
    list.sequence[list.push(own)] = 1;
    expect(list.find(own, 2)).toBe(NONE);
  });
});
