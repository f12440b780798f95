/** The protocol of `generate-server --type live-updates`: clients watch a document and ask for pongs. */
export const LIVE_UPDATES = `# The protocol of \`generate-server --type live-updates\`: clients watch a document, which programs change.
name: live-updates

clients:
  - name: watcher
    steps:
      - connect
      - expect: { json: { type: welcome }, label: welcome }
      - send: { json: { type: watch, id: watch, document: benchmark } }
      # A server at --url may not have the document, and says so.
      - expect: { json: { id: watch }, label: watch }
      - loop:
          forever: true
          every: 1s
          steps:
            - send: { json: { type: ping, id: 'p{{pass}}' } }
            - expect:
                json: { id: 'p{{pass}}' }
                check: { json: { type: pong } }
                label: ping
    on:
      - { name: patch, json: { type: patch } }
      - { name: snapshot, json: { type: snapshot } }
      - { name: removed, json: { type: removed } }
`;
