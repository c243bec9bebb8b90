package org.sqzkit.fetch;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The index of a folder of releases, and the cheapest way to the newest (docs/updates.md). */
public final class ReleaseIndex {
    /** The newest version of the index that is understood here. */
    public static final int VERSION = 1;

    static final int MAX_BYTES = 1 << 20;
    static final long MAX_FILE = 256L << 20;
    private static final long MAX_ARCHIVE = MAX_FILE + (1 << 16);
    private static final long MAX_NUMBER = 1L << 53;
    private static final int MAX_ENTRIES = 10_000;

    /** A version of the file, or an archive that gives one. */
    public static final class Entry {
        final String name;
        final long release;
        final Long base;
        final long size;
        final String sha256;

        private Entry(Map<String, Object> fields) {
            name = (String) fields.get("name");
            release = (Long) fields.get("release");
            base = (Long) fields.get("base");
            size = (Long) fields.get("size");
            sha256 = (String) fields.get("sha256");
        }

        /** The archive's file name; null for a version of the file. */
        public String name() {
            return name;
        }

        /** The release that it is, or gives. */
        public long release() {
            return release;
        }

        /** Its bytes. */
        public long size() {
            return size;
        }
    }

    private final Long expires;
    private final List<Entry> releases;
    private final List<Entry> archives;

    private ReleaseIndex(Long expires, List<Entry> releases, List<Entry> archives) {
        this.expires = expires;
        this.releases = releases;
        this.archives = archives;
    }

    /**
     * Reads the JSON of an index.
     *
     * @throws FetchException if it breaks a rule of docs/updates.md
     */
    public static ReleaseIndex parse(byte[] content) throws FetchException {
        try {
            require(content.length <= MAX_BYTES, "more than " + MAX_BYTES + " bytes");
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString();
            require(!text.startsWith("\uFEFF"), "it begins with a byte order mark");
            return new Parser(text).index();
        } catch (FetchException e) {
            throw e;
        } catch (CharacterCodingException e) {
            throw damaged("it is not UTF-8");
        } catch (IOException | RuntimeException e) {
            throw damaged(e.getMessage());
        }
    }

    static FetchException damaged(String why) {
        return new FetchException(FetchException.Code.DAMAGED, "the index is damaged: " + why);
    }

    private static void require(boolean rule, String otherwise) throws FetchException {
        if (!rule) {
            throw damaged(otherwise);
        }
    }

    /** Reads exactly the fields that there are. */
    private static final class Parser {
        private final JsonReader reader;

        Parser(String text) {
            reader = new JsonReader(new StringReader(text));
            reader.setStrictness(Strictness.STRICT);
        }

        ReleaseIndex index() throws IOException {
            Long version = null;
            Map<String, Object> fields = new HashMap<>();
            reader.beginObject();
            while (reader.hasNext()) {
                String name = reader.nextName();
                switch (name) {
                    case "version":
                        version = number();
                        break;
                    case "expires":
                        fields.put(name, numberOrNull());
                        break;
                    case "releases":
                        fields.put(name, entries("release", "size", "sha256"));
                        break;
                    case "archives":
                        fields.put(name, entries("name", "release", "base", "size", "sha256"));
                        break;
                    default:
                        // A newer form may have further fields, behind its version.
                        refuseNewer(version);
                        throw damaged("it has no field " + name);
                }
            }
            reader.endObject();
            require(reader.peek() == JsonToken.END_DOCUMENT, "more behind it");
            refuseNewer(version);
            require(version != null && version == VERSION, "version " + version);
            require(fields.size() == 3, "a field is missing");
            ReleaseIndex index = new ReleaseIndex((Long) fields.get("expires"),
                    list(fields.get("releases")), list(fields.get("archives")));
            index.check();
            return index;
        }

        @SuppressWarnings("unchecked")
        private static List<Entry> list(Object entries) {
            return Collections.unmodifiableList((List<Entry>) entries);
        }

        private static void refuseNewer(Long version) throws FetchException {
            if (version != null && version > VERSION) {
                throw new FetchException(FetchException.Code.NEWER_VERSION,
                        "index of version " + version + ", newer than version 1 read here: update sqzkit");
            }
        }

        private List<Entry> entries(String... names) throws IOException {
            List<Entry> found = new ArrayList<>();
            reader.beginArray();
            while (reader.hasNext()) {
                require(found.size() < MAX_ENTRIES, "a list of more than " + MAX_ENTRIES);
                Map<String, Object> fields = new LinkedHashMap<>();
                for (reader.beginObject(); reader.hasNext(); ) {
                    String name = reader.nextName();
                    boolean text = name.equals("name") || name.equals("sha256");
                    fields.put(name, text ? text() : name.equals("base") ? numberOrNull() : number());
                }
                reader.endObject();
                require(fields.keySet().equals(new HashSet<>(java.util.Arrays.asList(names))),
                        "an entry with the fields " + fields.keySet());
                found.add(new Entry(fields));
            }
            reader.endArray();
            return found;
        }

        private String text() throws IOException {
            require(reader.peek() == JsonToken.STRING, "a text is missing");
            return reader.nextString();
        }

        private Long numberOrNull() throws IOException {
            if (reader.peek() == JsonToken.NULL) {
                reader.nextNull();
                return null;
            }
            return number();
        }

        private Long number() throws IOException {
            require(reader.peek() == JsonToken.NUMBER, "a number is missing");
            String digits = reader.nextString();
            require(digits.matches("-?[0-9]{1,16}"), digits.length() + " digits of a number");
            long number = Long.parseLong(digits);
            require(Math.abs(number) <= MAX_NUMBER, "a number beyond 2^53");
            return number;
        }
    }

    private void check() throws FetchException {
        require(expires == null || expires >= 0, "expires " + expires);
        require(!releases.isEmpty(), "its releases are not in order");
        Set<Long> known = new HashSet<>();
        long last = -1;
        for (Entry one : releases) {
            require(one.release > last, "its releases are not in order");
            last = one.release;
            known.add(last);
            check(one, MAX_FILE);
        }
        for (Entry one : archives) {
            check(one, MAX_ARCHIVE);
            require(one.name.matches("[0-9A-Za-z][0-9A-Za-z._-]{0,99}"),
                    "a name that is not one of a file in its folder");
            require(known.contains(one.release) && (one.base == null || known.contains(one.base)),
                    one.name + " names a release that is not listed");
            require(one.base == null || one.base < one.release,
                    one.name + " starts from a release that is not older");
        }
    }

    private static void check(Entry one, long most) throws FetchException {
        require(one.size >= 0 && one.size <= most && one.sha256.matches("[0-9a-f]{64}"),
                "size or SHA-256 of a file of release " + one.release);
    }

    /** The number of the newest release. */
    public long newest() {
        return releases.get(releases.size() - 1).release;
    }

    /** Seconds since 1970 after which the index is not to be used; null: never. */
    public Long expires() {
        return expires;
    }

    /** Returns the newest release with this SHA-256; null if there is none. */
    public Long releaseOf(String sha256) {
        Long found = null;
        for (Entry one : releases) {
            found = one.sha256.equals(sha256) ? Long.valueOf(one.release) : found;
        }
        return found;
    }

    Entry release(long number) {
        for (Entry one : releases) {
            if (one.release == number) {
                return one;
            }
        }
        throw new IllegalArgumentException("release " + number);
    }

    private static final class Cost {
        final long bytes;
        final int archives;
        final Entry last;

        Cost(long bytes, int archives, Entry last) {
            this.bytes = bytes;
            this.archives = archives;
            this.last = last;
        }

        boolean isLess(Cost other) {
            return other == null
                    || (bytes == other.bytes ? archives < other.archives : bytes < other.bytes);
        }
    }

    /**
     * Returns which archives give the newest release, in the order of their use.
     *
     * <p>Of all ways the one with the fewest bytes is taken; of equal ones that with the fewest
     * archives, then that whose last archive stands first in the index.
     *
     * @param have the release that the reader has, or null
     */
    public List<Entry> plan(Long have) throws FetchException {
        Map<Long, Cost> costs = new HashMap<>();
        costs.put(null, new Cost(0, 0, null));
        costs.put(have, new Cost(0, 0, null));
        List<Entry> sorted = new ArrayList<>(archives);
        Collections.sort(sorted, Comparator.comparingLong((Entry one) -> one.release));
        for (Entry archive : sorted) {
            Cost start = costs.get(archive.base);
            if (start != null) {
                Cost cost = new Cost(start.bytes + archive.size, start.archives + 1, archive);
                if (cost.isLess(costs.get(archive.release))) {
                    costs.put(archive.release, cost);
                }
            }
        }
        if (!costs.containsKey(newest())) {
            throw new FetchException(FetchException.Code.NO_WAY,
                    "the index has no archive that leads to release " + newest());
        }
        List<Entry> way = new ArrayList<>();
        for (Entry at = costs.get(newest()).last; at != null; at = costs.get(at.base).last) {
            way.add(at);
        }
        Collections.reverse(way);
        return way;
    }
}
