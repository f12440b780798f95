/** A section of an RFC: its heading and what it asks for, in our own words. */
export interface RfcReference {
  /** As the reports print it: `RFC 6455 section 5.2`. */
  readonly label: string;
  readonly title: string;
  readonly statement: string;
  readonly url: string;
}

type Row = readonly [title: string, statement: string];

/** The sections that cases and violations refer to, as `6455#5.2`. */
const SECTIONS: Readonly<Record<string, Row>> = {
  '6455#4.1': [
    'Client Requirements',
    'The client checks every part of the response (101, Upgrade, Connection, Sec-WebSocket-Accept, and only extensions and subprotocols it asked for) and fails the connection when one is wrong.',
  ],
  '6455#4.2': ['Server-Side Requirements', 'A server answers only a complete and valid request.'],
  '6455#4.2.1': [
    "Reading the Client's Opening Handshake",
    'A GET of HTTP/1.1 or higher with Host, Upgrade: websocket, Connection: Upgrade, a Sec-WebSocket-Key of 16 bytes in base64 and version 13; a server refuses anything else with an HTTP error.',
  ],
  '6455#4.2.2': [
    "Sending the Server's Opening Handshake",
    'The answer is 101 with Upgrade, Connection and the Sec-WebSocket-Accept computed from the key; a version the server lacks is refused with 426 and the versions it has.',
  ],
  '6455#4.4': [
    'Supporting Multiple Versions of WebSocket Protocol',
    'An unsupported version is refused together with a Sec-WebSocket-Version header that lists the supported ones.',
  ],
  '6455#5.1': [
    'Overview',
    'A client masks every frame and a server masks none; a peer that receives it the other way round closes the connection (1002).',
  ],
  '6455#5.2': [
    'Base Framing Protocol',
    'Reserved bits are 0 unless an extension defines them, reserved opcodes are not used, and a length takes the shortest form with the top bit of 64-bit lengths clear. A breach fails the connection.',
  ],
  '6455#5.3': [
    'Client-to-Server Masking',
    'Each payload byte is combined by XOR with one of the four bytes of the masking key, which is fresh and unpredictable for every frame.',
  ],
  '6455#5.4': [
    'Fragmentation',
    'A message may come in a first frame and continuation frames, the last with FIN set; control frames may stand between them, other data frames may not.',
  ],
  '6455#5.5': [
    'Control Frames',
    'Close, Ping and Pong have at most 125 bytes of payload and are never fragmented.',
  ],
  '6455#5.5.1': [
    'Close',
    'A body of a Close frame starts with a 2-byte code and goes on with UTF-8 text; it is answered with a Close frame, and nothing is sent after one.',
  ],
  '6455#5.5.2': [
    'Ping',
    'A Ping is answered with a Pong as soon as is practical, unless a Close frame was received.',
  ],
  '6455#5.5.3': [
    'Pong',
    'A Pong carries the very payload of the Ping it answers; an unsolicited Pong is ignored.',
  ],
  '6455#5.6': ['Data Frames', 'A text message is UTF-8 as a whole; a binary message is any bytes.'],
  '6455#5.8': [
    'Extensibility',
    'Reserved bits and opcodes belong to extensions, and both sides agree on those in the opening handshake.',
  ],
  '6455#6.1': ['Sending Data', 'Data is sent only on an open connection, in frames of section 5.'],
  '6455#6.2': [
    'Receiving Data',
    'Frames are parsed as section 5 defines, and the fragments of a message are delivered as one message of the type of the first.',
  ],
  '6455#7.1.1': [
    'Close the WebSocket Connection',
    'The server closes the TCP connection first, so that it keeps the TIME_WAIT state; a client waits for that.',
  ],
  '6455#7.1.2': [
    'Start the WebSocket Closing Handshake',
    'A side starts the closing handshake with a Close frame and then waits for the answer.',
  ],
  '6455#7.1.4': [
    'The WebSocket Connection is Closed',
    'The connection is closed cleanly when TCP was closed after both Close frames.',
  ],
  '6455#7.1.5': [
    'The WebSocket Connection Close Code',
    'The code is the one in the first Close frame received; without a body it counts as 1005, without a frame as 1006.',
  ],
  '6455#7.1.6': [
    'The WebSocket Connection Close Reason',
    'The reason is UTF-8 text behind the code; it may be empty.',
  ],
  '6455#7.1.7': [
    'Fail the WebSocket Connection',
    'A failing side sends a Close frame with a fitting code if it can, then closes TCP, and reads nothing more.',
  ],
  '6455#7.4': ['Status Codes', 'A Close frame carries a code that may be sent.'],
  '6455#7.4.1': [
    'Defined Status Codes',
    '1005, 1006 and 1015 only ever describe a state and are never sent; 1004 has no meaning yet.',
  ],
  '6455#7.4.2': [
    'Reserved Status Code Ranges',
    '0-999 are not used, 1000-2999 belong to the protocol, 3000-3999 are registered by libraries, 4000-4999 are private.',
  ],
  '6455#8.1': [
    'Handling of Errors in UTF-8-Encoded Data',
    'Text that is not valid UTF-8 fails the connection (close code 1007).',
  ],
  '6455#9.1': [
    'Negotiating Extensions',
    'A server answers only with extensions the client offered, in a header of the grammar given there.',
  ],
  '6455#10.4': [
    'Implementation-Specific Limits',
    'An implementation protects itself with limits on the size of frames and messages; a message that is too big is refused with 1009.',
  ],
  '6455#10.7': [
    'Handling of Invalid Data',
    'Received data is never trusted: what is invalid fails the connection.',
  ],
  '6455#11.3.1': [
    'Sec-WebSocket-Key',
    'The header must not appear more than once in a request, and not at all in a response.',
  ],
  '6455#11.3.3': [
    'Sec-WebSocket-Accept',
    'The header must not appear more than once in a response, and not at all in a request.',
  ],
  '6455#11.3.4': [
    'Sec-WebSocket-Protocol',
    'A request may spread its subprotocols over several headers; a response has one header at most.',
  ],
  '6455#11.3.5': [
    'Sec-WebSocket-Version',
    'A request has the header once; a response may have it several times, to name several versions.',
  ],
  '6455#11.7': [
    'WebSocket Close Code Number Registry',
    'Codes that were registered after the RFC, as 1012 to 1014, may be sent like those it defines.',
  ],
  '7692#5': [
    'Extension Negotiation',
    'An offer with parameters that cannot be accepted is declined; an answer that was not asked for fails the connection.',
  ],
  '7692#6': ['Framing', 'The RSV1 bit marks a compressed message.'],
  '7692#6.1': [
    'Compression',
    'RSV1 is set on the first frame of a compressed message, and never on continuation or control frames.',
  ],
  '7692#6.2': [
    'Decompression',
    'A message whose first frame has RSV1 is inflated as a whole before it is used.',
  ],
  '7692#7': [
    'The "permessage-deflate" Extension',
    'Messages are compressed with DEFLATE, with parameters that both sides agreed on.',
  ],
  '7692#7.1': [
    'Extension Parameters',
    'Each parameter appears at most once, with a value of the form defined for it.',
  ],
  '7692#7.1.1': [
    'Context Takeover Control',
    'A side that agreed to no_context_takeover starts every message with an empty window.',
  ],
  '7692#7.1.1.1': [
    'The "server_no_context_takeover" Extension Parameter',
    'A server that accepts it starts every message with an empty window.',
  ],
  '7692#7.1.1.2': [
    'The "client_no_context_takeover" Extension Parameter',
    'A client that is told so starts every message with an empty window.',
  ],
  '7692#7.1.2': [
    'Limiting the LZ77 Sliding Window Size',
    'The window is 2 to the power of 8 to 15 bytes; no reference reaches further back than agreed.',
  ],
  '7692#7.1.2.1': [
    'The "server_max_window_bits" Extension Parameter',
    'A server that accepts it uses a window no larger than asked for, or declines the offer.',
  ],
  '7692#7.1.2.2': [
    'The "client_max_window_bits" Extension Parameter',
    'A server may limit the window of a client only when the client offered the parameter.',
  ],
  '7692#7.2.1': [
    'Compression',
    'A message is deflated, ended by an empty block, and the last four bytes 00 00 ff ff are left out.',
  ],
  '7692#7.2.2': [
    'Decompression',
    'The bytes 00 00 ff ff are put behind the message, which is then inflated; what cannot be inflated fails the connection.',
  ],
  '7692#7.2.3': [
    'Examples',
    'Blocks of every type, several blocks, empty messages and set BFINAL bits are all to be understood.',
  ],
  '7692#8': [
    'Security Considerations',
    'Limits hold for the inflated message as well, so that a few bytes cannot fill the memory.',
  ],
  '3629#3': [
    'UTF-8 definition',
    'One to four bytes per character; no overlong forms, no surrogates, nothing above U+10FFFF.',
  ],
};

/**
 * Gives heading, statement and address of a section named as `6455#5.2`.
 *
 * A section without a row of its own gets the statement of the nearest one above it.
 */
export function rfcReference(rfc: string): RfcReference {
  const [document = '', section = ''] = rfc.split('#');
  const [title, statement] = nearest(document, section);
  return {
    label: `RFC ${document}${section === '' ? '' : ` section ${section}`}`,
    title,
    statement,
    url: `https://www.rfc-editor.org/rfc/rfc${encodeURIComponent(document)}${section === '' ? '' : `#section-${encodeURIComponent(section)}`}`,
  };
}

function nearest(document: string, section: string): Row {
  const parts = section.split('.');
  for (; parts.length > 0; parts.pop()) {
    const row = SECTIONS[`${document}#${parts.join('.')}`];
    if (row !== undefined) return row;
  }
  return ['', ''];
}
