package io.execsvc.client;

import io.grpc.Status;

/**
 * The execution id was used before with another request; {@code executionId} and {@code state} say
 * of which.
 */
public final class AlreadyExistsException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  AlreadyExistsException(String message, StatusDetails details) {
    super(message, Status.Code.ALREADY_EXISTS, details);
  }
}
