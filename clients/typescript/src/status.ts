// The one place where failed gRPC calls become this client's errors.

import { Code, ConnectError } from "@connectrpc/connect";
import * as errors from "./errors.js";
import { readDetails } from "./status-details.js";

const CLASSES = [
  errors.CancelledError,
  errors.InvalidArgumentError,
  errors.DeadlineExceededError,
  errors.NotFoundError,
  errors.AlreadyExistsError,
  errors.PermissionDeniedError,
  errors.ResourceExhaustedError,
  errors.FailedPreconditionError,
  errors.AbortedError,
  errors.OutOfRangeError,
  errors.UnimplementedError,
  errors.InternalError,
  errors.UnavailableError,
  errors.UnauthenticatedError,
];
const BY_CODE: ReadonlyMap<string, (typeof CLASSES)[number]> = new Map(
  CLASSES.map((Class) => [Class.defaultCode, Class]),
);

// Codes that the transport makes up itself where a connection breaks; from a server they come with a grpc-status.
const BROKEN_CODES: ReadonlySet<Code> = new Set([
  Code.Aborted,
  Code.Canceled,
  Code.Internal,
  Code.InvalidArgument,
  Code.Unknown,
  Code.DataLoss,
]);

// What proxies and gRPC cores pass on where a connection broke behind them.
const BROKEN_TEXT = /RST_STREAM|GOAWAY|Stream removed|Socket closed|ENHANCE_YOUR_CALM|Connection reset/;
const RELAYED_CODES: ReadonlySet<Code> = new Set([Code.Internal, Code.Unknown, Code.Canceled, Code.ResourceExhausted]);

// What a server's gRPC core says, with the code of the same name, of a call that it hands to nobody: one that comes while
// the server closes, or while more wait than it keeps. A call given up on this side is told in other words.
const CUT_OFF = "CANCELLED";

/** Returns the error that stands for whatever a call threw. */
export function fromCallError(thrown: unknown): errors.ExecsvcError {
  if (thrown instanceof errors.ExecsvcError) {
    return thrown;
  }
  const error = ConnectError.from(thrown, Code.Internal);
  const details = readDetails(error.details.flatMap((detail) => ("type" in detail ? [detail] : [])));
  const parts = { details, cause: error };
  if (isBroken(error, details.reason)) {
    return new errors.UnavailableError(`the connection broke: ${error.rawMessage}`, parts);
  }
  if (error.code === Code.Canceled && error.rawMessage === CUT_OFF && !details.reason) {
    // Nobody's wish: that code would say so.
    return new errors.UnavailableError(
      "the server gave the call up before it was read, as one does that closes or is overrun",
      parts,
    );
  }
  const code = codeName(error.code);
  const Class = BY_CODE.get(code) ?? errors.InternalError;
  return new Class(error.rawMessage || code, { ...parts, code });
}

function isBroken(error: ConnectError, reason: string | undefined): boolean {
  if (reason) {
    return false;
  }
  const answered = error.metadata.has("grpc-status") || error.metadata.has("grpc-status-details-bin");
  return (
    (!answered && BROKEN_CODES.has(error.code)) || (RELAYED_CODES.has(error.code) && BROKEN_TEXT.test(error.rawMessage))
  );
}

// "FailedPrecondition" is FAILED_PRECONDITION to gRPC, and "Canceled" has two l.
function codeName(code: Code): string {
  return code === Code.Canceled ? "CANCELLED" : Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
