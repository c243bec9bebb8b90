package org.sqzkit.apk;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The {@code name=value} arguments of one build step. An empty value counts as not given. */
final class Options {
    private final Map<String, String> values = new HashMap<>();

    /** Reads {@code arguments[from..]}. */
    Options(String[] arguments, int from) throws BuildException {
        for (int i = from; i < arguments.length; i++) {
            int equals = arguments[i].indexOf('=');
            if (equals < 1) {
                throw new BuildException("argument '" + arguments[i] + "': must be name=value");
            }
            values.put(arguments[i].substring(0, equals), arguments[i].substring(equals + 1));
        }
    }

    /** The value of {@code name}, or {@code otherwise} if it was not given. */
    String get(String name, String otherwise) {
        String value = values.get(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    /** The value of {@code name}, which must have been given. */
    String get(String name) throws BuildException {
        String value = get(name, null);
        if (value == null) {
            throw new BuildException("argument " + name + "=... is missing");
        }
        return value;
    }

    int number(String name) throws BuildException {
        try {
            return Integer.parseInt(get(name));
        } catch (NumberFormatException e) {
            throw new BuildException(name + "=" + get(name) + ": must be a whole number", e);
        }
    }

    Path path(String name) throws BuildException {
        return Path.of(get(name));
    }

    /** The comma-separated values of {@code name}; none if it was not given. */
    List<String> list(String name) {
        List<String> parts = new ArrayList<>();
        for (String part : get(name, "").split(",")) {
            if (!part.isBlank()) {
                parts.add(part.trim());
            }
        }
        return parts;
    }
}
