export { acceptKey, createKey } from './handshake/accept-key.ts';
export { CloseCode, explainCloseCode, isSendableCloseCode } from './frames/close-code.ts';
export { MAX_REASON_BYTES, decodeClose, encodeClose } from './frames/close.ts';
export type { CloseStatus } from './frames/close.ts';
export { Connection } from './connection.ts';
export type { ConnectionEvent, ConnectionOptions, Role } from './connection.ts';
export { DEFLATE_EXTENSION, parseDeflate, toExtension } from './deflate/params.ts';
export type { DeflateFlaw, DeflateParams, ParsedDeflate } from './deflate/params.ts';
export { Deflater, Inflater, directionOf } from './deflate/deflate.ts';
export type { DeflateDirection, NegotiatedDeflate } from './deflate/deflate.ts';
export { describeFrame } from './frames/describe-frame.ts';
export { formatExtensions, parseExtensions } from './http/extension-header.ts';
export type { Extension, ExtensionParam, ParsedExtensions } from './http/extension-header.ts';
export { FrameDecoder, MAX_HEADER_BYTES, encodeFrame, encodeFrameInto } from './frames/frame.ts';
export type { Frame, FrameInit } from './frames/frame.ts';
export { FrameHeader, minimalLengthBytes } from './frames/frame-header.ts';
export type { LengthBytes } from './frames/frame-header.ts';
export {
  createRejection,
  createRequest,
  createResponse,
  rejectionStatus,
} from './handshake/handshake.ts';
export type {
  HeaderList,
  RejectionInit,
  RequestInit,
  ResponseInit,
} from './handshake/handshake.ts';
export { fieldValue, fieldValues } from './http/head.ts';
export type { HeaderField, RequestHead, ResponseHead } from './http/head.ts';
export { HeadDecoder } from './http/head-decoder.ts';
export { DEFAULT_LIMITS } from './limits.ts';
export type { Limits } from './limits.ts';
export { mask } from './frames/mask.ts';
export { acceptOffer, negotiate } from './deflate/negotiate.ts';
export type { DeflateSupport } from './deflate/negotiate.ts';
export { MAX_CONTROL_BYTES, Opcode, isControlOpcode, opcodeName } from './frames/opcode.ts';
export type { SendOptions } from './sender.ts';
export { checkRequest } from './handshake/request-rules.ts';
export { checkResponse } from './handshake/response-rules.ts';
export type { RuleResult } from './handshake/rules.ts';
export { Utf8Stream } from './frames/utf8.ts';
export { verifyRequest, verifyResponse } from './handshake/verify.ts';
export type { AgreedHandshake, RefusedHandshake, ServerTraits } from './handshake/verify.ts';
export { ProtocolError, VIOLATIONS, violation } from './violations.ts';
export type { Violation, ViolationCode, ViolationData } from './violations.ts';
