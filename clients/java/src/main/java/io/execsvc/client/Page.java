package io.execsvc.client;

import java.util.List;

/**
 * One page of a list.
 *
 * @param items what is on it
 * @param nextToken asks for the next page; empty: this is the last
 * @param <T> what is listed
 */
public record Page<T>(List<T> items, String nextToken) {}
