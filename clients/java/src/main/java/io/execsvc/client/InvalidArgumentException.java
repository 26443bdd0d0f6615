package io.execsvc.client;

import io.grpc.Status;

/**
 * The request is not valid; {@code fieldViolations} name each problem. Do not repeat it unchanged.
 */
public class InvalidArgumentException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  InvalidArgumentException(String message, StatusDetails details) {
    super(message, Status.Code.INVALID_ARGUMENT, details);
  }
}
