package io.execsvc.client;

import io.grpc.Status;

/**
 * Something is too large, or a limit is reached; with a {@code retryDelay} another attempt makes
 * sense.
 */
public final class ResourceExhaustedException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  ResourceExhaustedException(String message, StatusDetails details) {
    super(message, Status.Code.RESOURCE_EXHAUSTED, details);
  }
}
