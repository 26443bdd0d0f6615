package io.execsvc.client;

import io.execsvc.v1.ValidateWorkflowResponse;
import java.util.List;

/** What the server thinks of a definition. */
public final class Validation extends MessageView<ValidateWorkflowResponse> {
  Validation(ValidateWorkflowResponse raw) {
    super(raw);
  }

  /**
   * Returns whether {@code execute} would take the definition.
   *
   * @return true if there are no problems
   */
  public boolean valid() {
    return raw().getValid();
  }

  /**
   * Returns what is wrong, each with its path.
   *
   * @return in the order of the definition; empty if it is valid
   */
  public List<Problem> problems() {
    return raw().getProblemsList().stream()
        .map(one -> new Problem(one.getPath(), one.getReason(), one.getMessage()))
        .toList();
  }

  /**
   * Returns the content hash of the definition.
   *
   * @return lower-case hex; empty if it is not valid
   */
  public String definitionDigest() {
    return raw().getDefinitionDigest();
  }
}
