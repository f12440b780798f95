/** Requests and responses of JSON-RPC 2.0, matched by their ids; runs against an echo server, too. */
export const JSON_RPC = String.raw`# JSON-RPC 2.0: requests and their responses, matched by id. Put your own method and parameters.
name: json-rpc

data:
  a: { integer: 1..1000, per: pass }
  b: { integer: 1..1000, per: pass }

clients:
  - name: caller
    steps:
      - connect
      - loop:
          forever: true
          every: 1s
          steps:
            - send:
                json: { jsonrpc: '2.0', id: '{{pass}}', method: add, params: ['{{a}}', '{{b}}'] }
            # An echo server, as of generate-server, returns the request: method in place of result.
            - expect:
                json: { id: '{{pass}}' }
                check: { json: { jsonrpc: '2.0' }, regex: '"(result|method)"\s*:', absent: error }
                label: add
    on:
      # A request without an id wants no response.
      - { name: notification, exists: method, absent: id }
`;
