package io.execsvc.client;

import io.grpc.Status;

/** The server, or something on the way to it, has a bug ({@code INTERNAL, UNKNOWN, DATA_LOSS}). */
public final class InternalException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  InternalException(String message, Status.Code code, StatusDetails details) {
    super(message, code, details);
  }
}
