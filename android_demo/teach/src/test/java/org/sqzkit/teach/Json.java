package org.sqzkit.teach;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Parses the golden index: objects, lists, numbers and strings without escapes. */
final class Json {
    private static final Pattern TOKEN = Pattern.compile("\\s*([\\[\\]{},:]|\"[^\"]*\"|[^\\s\\[\\]{},:\"]+)");

    private final Matcher tokens;
    private String token;

    private Json(String text) {
        tokens = TOKEN.matcher(text);
        next();
    }

    static Map<?, ?> parse(String text) {
        return (Map<?, ?>) new Json(text).value();
    }

    static double[] numbers(Object list) {
        return ((List<?>) list).stream().mapToDouble(item -> (Double) item).toArray();
    }

    static short[] features(Object list) {
        double[] numbers = numbers(list);
        short[] features = new short[numbers.length];
        for (int i = 0; i < features.length; i++) {
            features[i] = (short) numbers[i];
        }
        return features;
    }

    private Object value() {
        String first = token;
        next();
        if (first.equals("{")) {
            Map<String, Object> found = new LinkedHashMap<>();
            while (!token.equals("}")) {
                String name = (String) value();
                next();
                found.put(name, value());
                skipComma();
            }
            next();
            return found;
        }
        if (first.equals("[")) {
            List<Object> found = new ArrayList<>();
            while (!token.equals("]")) {
                found.add(value());
                skipComma();
            }
            next();
            return found;
        }
        if (first.startsWith("\"")) {
            return first.substring(1, first.length() - 1);
        }
        return Double.valueOf(first);
    }

    private void skipComma() {
        if (token.equals(",")) {
            next();
        }
    }

    private void next() {
        token = tokens.lookingAt() ? tokens.group(1) : "";
        tokens.region(tokens.lookingAt() ? tokens.end() : tokens.regionEnd(), tokens.regionEnd());
    }
}
