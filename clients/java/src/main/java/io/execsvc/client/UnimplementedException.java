package io.execsvc.client;

import io.grpc.Status;

/** The server has no such call; it is older than this client, or no execsvc server. */
public final class UnimplementedException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  UnimplementedException(String message, StatusDetails details) {
    super(message, Status.Code.UNIMPLEMENTED, details);
  }
}
