package io.execsvc.client;

/**
 * A precondition that does not hold, or a quota that is used up.
 *
 * @param type kind of the precondition; empty for quotas
 * @param subject what it concerns, for example an execution's id
 * @param description what does not hold, for people
 */
public record Violation(String type, String subject, String description) {}
