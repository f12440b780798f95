/**
 * The chat protocol of `generate-server --type chat`: join a room, publish, receive.
 *
 * 1 of 10 clients talks, the others listen: as in rooms of people.
 */
export const CHAT = `# The chat protocol of \`generate-server --type chat\`: people join rooms, some of them talk.
name: chat

data:
  room: { choice: [lobby, games, music, news], per: client }
  words: { text: 20..200, per: pass }

clients:
  - name: talker
    weight: 1
    steps:
      - connect: { query: { user: 'talker-{{client}}' } }
      - expect: { json: { type: welcome }, label: welcome }
      - send: { json: { type: join, id: join, room: '{{room}}' } }
      - expect:
          json: { id: join }
          check: { json: { type: joined } }
          label: join
      - loop:
          forever: true
          every: 1s
          steps:
            - send:
                json: { type: message, id: 'm{{pass}}', room: '{{room}}', text: '{{pass}} {{words}}' }
            # An ack or an error. With the feature resume the message itself has the id as well.
            - expect:
                json: { id: 'm{{pass}}' }
                absent: $.from
                check: { json: { type: ack } }
                label: publish
            # The server sends it to everybody in the room, and to whoever wrote it as well.
            - expect:
                json: { type: message, from: 'talker-{{client}}', text: '{{pass}} {{words}}' }
                label: receive
    on: &events
      - { name: message of others, json: { type: message } }
      - { name: member joined, json: { type: member-joined } }
      - { name: member left, json: { type: member-left } }

  - name: listener
    weight: 9
    steps:
      - connect: { query: { user: 'listener-{{client}}' } }
      - expect: { json: { type: welcome }, label: welcome }
      - send: { json: { type: join, id: join, room: '{{room}}' } }
      - expect:
          json: { id: join }
          check: { json: { type: joined } }
          label: join
      - loop: { forever: true, steps: [think: 1s] }
    on: *events
`;
