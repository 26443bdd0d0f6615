// The errors of this client.

import type { Problem } from "./problems.js";
import type { Details, Resource, Violation } from "./status-details.js";

/** What an error is made of. */
export interface ErrorParts {
  /** Name of the gRPC status, where it is not the one that the class stands for. */
  readonly code?: string;
  readonly details?: Details;
  readonly cause?: unknown;
}

/** A call did not succeed. Base of every error that this client throws on purpose. */
export class ExecsvcError extends Error {
  /** The status this class stands for; `UNKNOWN` where it stands for several. */
  static readonly defaultCode: string = "UNKNOWN";

  /** Name of the gRPC status, for example `"NOT_FOUND"`. */
  readonly code: string;
  /**
   * Stable name of the error, UPPER_SNAKE_CASE, for example `"EXECUTION_NOT_FOUND"`; empty where the error did not come
   * from an execsvc server.
   */
  readonly reason: string;
  /** Who defines the reason; `"execsvc"` for errors of the service. */
  readonly domain: string;
  /** Facts by name, such as `execution_id` and `state`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What is wrong with the request, each with its path. */
  readonly fieldViolations: readonly Problem[];
  /** What the error is about; undefined where the server does not say. */
  readonly resource: Resource | undefined;
  /** What would have to hold first. */
  readonly preconditions: readonly Violation[];
  /** Limits that are used up. */
  readonly quotas: readonly Violation[];
  /** Seconds after which another attempt makes sense; undefined where the server names none. */
  readonly retryDelay: number | undefined;

  constructor(message: string, { code, details = {}, cause }: ErrorParts = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code ?? new.target.defaultCode;
    this.reason = details.reason ?? "";
    this.domain = details.domain ?? "";
    this.metadata = details.metadata ?? {};
    this.fieldViolations = details.fieldViolations ?? [];
    this.resource = details.resource;
    this.preconditions = details.preconditions ?? [];
    this.quotas = details.quotas ?? [];
    this.retryDelay = details.retryDelay;
  }

  /** Id of the execution the error is about; empty where it is about none. */
  get executionId(): string {
    const named = this.resource?.type.toLowerCase().endsWith("execution") ? this.resource.name : "";
    return this.metadata.execution_id ?? named;
  }

  /** State of that execution when the call was refused, for example `"PAUSED"`; empty where not told. */
  get state(): string {
    return this.metadata.state ?? "";
  }
}

/** The request is not valid; `fieldViolations` name each problem. Do not repeat it unchanged. */
export class InvalidArgumentError extends ExecsvcError {
  static override readonly defaultCode: string = "INVALID_ARGUMENT";

  /** Returns the error for problems that were found before anything was sent. */
  static of<E extends InvalidArgumentError>(
    this: new (
      message: string,
      parts?: ErrorParts,
    ) => E,
    problems: readonly Problem[],
    cause?: unknown,
  ): E {
    const first = problems[0];
    const where = first?.path ? `${first.path}: ` : "";
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    return new this(`${where}${first?.message}${more}`, {
      details: { reason: "INVALID_REQUEST", fieldViolations: problems },
      cause,
    });
  }
}

/**
 * The workflow definition cannot be read; found before anything was sent.
 *
 * `fieldViolations` hold every problem with its path. What only the server can know (expressions, cycles, names that are
 * not upstream) is reported by it: as `InvalidArgumentError`, or by `validate`.
 */
export class DefinitionError extends InvalidArgumentError {}

/** There is no execution or stored workflow with this id, or it is not visible to this caller. */
export class NotFoundError extends ExecsvcError {
  static override readonly defaultCode = "NOT_FOUND";
}

/** The execution id was used before with another request; `executionId` and `state` say of which. */
export class AlreadyExistsError extends ExecsvcError {
  static override readonly defaultCode = "ALREADY_EXISTS";
}

/** The execution's state does not allow this action; `state` says what it is. */
export class FailedPreconditionError extends ExecsvcError {
  static override readonly defaultCode = "FAILED_PRECONDITION";
}

/** The execution is not in the expected state, or another call was faster. Look at it, then decide again. */
export class AbortedError extends ExecsvcError {
  static override readonly defaultCode = "ABORTED";
}

/** The cursor lies outside the log. */
export class OutOfRangeError extends ExecsvcError {
  static override readonly defaultCode = "OUT_OF_RANGE";
}

/** Something is too large, or a limit is reached; with a `retryDelay` another attempt makes sense. */
export class ResourceExhaustedError extends ExecsvcError {
  static override readonly defaultCode = "RESOURCE_EXHAUSTED";
}

/** The server does not know who calls: the token is missing, wrong or expired. */
export class UnauthenticatedError extends ExecsvcError {
  static override readonly defaultCode = "UNAUTHENTICATED";
}

/** The caller is known, but may not do this. */
export class PermissionDeniedError extends ExecsvcError {
  static override readonly defaultCode = "PERMISSION_DENIED";
}

/** The server cannot be reached, or takes no calls right now. The client has tried again before throwing this. */
export class UnavailableError extends ExecsvcError {
  static override readonly defaultCode: string = "UNAVAILABLE";
}

/** No answer came in time; the call may have taken effect. */
export class DeadlineExceededError extends ExecsvcError {
  static override readonly defaultCode = "DEADLINE_EXCEEDED";
}

/** The call was given up: by its `AbortSignal` (`cause` is the signal's reason), by the server, or by `close`. */
export class CancelledError extends ExecsvcError {
  static override readonly defaultCode: string = "CANCELLED";
}

/** The server has no such call; it is older than this client, or no execsvc server. */
export class UnimplementedError extends ExecsvcError {
  static override readonly defaultCode = "UNIMPLEMENTED";
}

/** The server, or something on the way to it, has a bug (INTERNAL, UNKNOWN, DATA_LOSS). */
export class InternalError extends ExecsvcError {
  static override readonly defaultCode = "INTERNAL";
}
