package io.execsvc.client;

import io.grpc.Status;

/** The server does not know who calls: the token is missing, wrong or expired. */
public final class UnauthenticatedException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  UnauthenticatedException(String message, StatusDetails details) {
    super(message, Status.Code.UNAUTHENTICATED, details);
  }
}
