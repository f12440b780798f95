import { expect, it } from 'vitest';
import { allCases } from '../../../../src/conformance/autobahn/cases/index.ts';
import { rfcReference } from '../../../../src/conformance/report/rfc-reference.ts';
import { VIOLATIONS } from '../../../../src/protocol/index.ts';

it('tells and links the section of every case and every violation', () => {
  const sections = [
    ...allCases().map(({ rfc }) => rfc),
    ...Object.values(VIOLATIONS).map(({ rfc }) => rfc),
  ];
  for (const rfc of new Set(sections)) {
    const { title, statement, url } = rfcReference(rfc);
    expect([rfc, title, statement]).not.toContain('');
    expect(url).toMatch(/^https:\/\/www\.rfc-editor\.org\/rfc\/rfc\d+#section-[\d.]+$/);
  }
});

it('takes the section above for one that has no row', () => {
  expect(rfcReference('6455#5.5.9')).toMatchObject({
    label: 'RFC 6455 section 5.5.9',
    title: 'Control Frames',
  });
  expect(rfcReference('9999#1')).toMatchObject({ title: '', statement: '' });
});
