package io.execsvc.client;

import java.time.Instant;
import java.util.Optional;

/** A version of a workflow that is stored on the server. */
public final class Workflow extends MessageView<io.execsvc.v1.Workflow> {
  private final boolean created;

  Workflow(io.execsvc.v1.Workflow raw, boolean created) {
    super(raw);
    this.created = created;
  }

  /**
   * Returns the client's id of the workflow.
   *
   * @return the id
   */
  public String workflowId() {
    return raw().getWorkflowId();
  }

  /**
   * Returns the content hash of the definition.
   *
   * @return lower-case hex
   */
  public String version() {
    return raw().getVersion();
  }

  /**
   * Returns the definition.
   *
   * @return empty in lists, and from {@code createWorkflow}
   */
  public Optional<Definition> definition() {
    return raw().hasDefinition()
        ? Optional.of(Definition.of(raw().getDefinition()))
        : Optional.empty();
  }

  /**
   * Returns when this version was stored first.
   *
   * @return the time
   */
  public Instant createTime() {
    return Values.toInstant(raw().getCreateTime());
  }

  /**
   * Returns whether the call that answered this has just stored it.
   *
   * @return false if the version was there before
   */
  public boolean created() {
    return created;
  }
}
