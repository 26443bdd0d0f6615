package io.execsvc.client;

/**
 * The thing that an error is about.
 *
 * @param type its kind, for example {@code execsvc.v1.Execution}
 * @param name its id
 * @param description what is the matter with it; may be empty
 */
public record Resource(String type, String name, String description) {}
