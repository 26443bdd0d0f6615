package io.execsvc.client;

import io.grpc.Status;

/**
 * The server cannot be reached, or takes no calls right now. The client has tried again before
 * throwing this.
 */
public final class UnavailableException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  UnavailableException(String message, StatusDetails details) {
    super(message, Status.Code.UNAVAILABLE, details);
  }
}
