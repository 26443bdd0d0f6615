package io.execsvc.client;

import io.execsvc.v1.ServerLimits;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** What the server is and allows. */
public final class ServerInfo extends MessageView<io.execsvc.v1.GetServerInfoResponse> {
  ServerInfo(io.execsvc.v1.GetServerInfoResponse raw) {
    super(raw);
  }

  /**
   * Returns the version of the server.
   *
   * @return for example {@code 0.1.0}
   */
  public String version() {
    return raw().getVersion();
  }

  /**
   * Returns when it started.
   *
   * @return empty where the server does not say
   */
  public Optional<Instant> startTime() {
    return raw().hasStartTime()
        ? Optional.of(Values.toInstant(raw().getStartTime()))
        : Optional.empty();
  }

  /**
   * Returns optional abilities by name.
   *
   * @return sorted, for example {@code store:sqlite}
   */
  public List<String> capabilities() {
    return List.copyOf(raw().getCapabilitiesList());
  }

  /**
   * Returns whether it is shutting down and takes no new executions.
   *
   * @return true if so
   */
  public boolean draining() {
    return raw().getDraining();
  }

  /**
   * Returns sizes in bytes, counts of nodes and executions.
   *
   * @return field by field as the API documents them
   */
  public ServerLimits limits() {
    return raw().getLimits();
  }
}
