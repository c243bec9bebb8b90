package org.sqzkit.fetch;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.Test;

/** Python's planner is the measure: the same ways, and the same indexes refused. */
public class ReleaseIndexTest {
    static final Path GOLDEN = Paths.get(System.getProperty("golden"), "serving");

    private static JsonArray cases(String kind) throws Exception {
        byte[] content = Files.readAllBytes(GOLDEN.resolve("plans.json"));
        String text = new String(content, StandardCharsets.UTF_8);
        return JsonParser.parseString(text).getAsJsonObject().getAsJsonArray(kind);
    }

    private static byte[] bytes(String text) {
        byte[] content = text.getBytes(StandardCharsets.UTF_8);
        // Python writes a byte that is not UTF-8 as half of a surrogate pair; Java encodes that as '?'.
        for (int i = 0; i < content.length && text.indexOf('\uDCFF') >= 0; i++) {
            content[i] = content[i] == '?' ? (byte) 0xFF : content[i];
        }
        return content;
    }

    @Test
    public void theWayIsPythons() throws Exception {
        int ways = 0;
        for (JsonElement element : cases("plans")) {
            JsonObject one = element.getAsJsonObject();
            ReleaseIndex index = ReleaseIndex.parse(bytes(one.get("index").toString()));
            for (JsonElement way : one.getAsJsonArray("ways")) {
                JsonElement start = way.getAsJsonArray().get(0);
                Long have = start.isJsonNull() ? null : Long.valueOf(start.getAsLong());
                JsonElement expected = way.getAsJsonArray().get(1);
                if (expected.isJsonNull()) {
                    FetchException error = assertThrows(FetchException.class, () -> index.plan(have));
                    assertEquals(FetchException.Code.NO_WAY, error.code());
                } else {
                    List<String> names = new ArrayList<>();
                    index.plan(have).forEach(entry -> names.add('"' + entry.name() + '"'));
                    assertEquals(one.get("name") + " from " + have, expected.toString(),
                            names.toString().replace(", ", ","));
                }
                ways++;
            }
        }
        assertTrue(ways + " ways", ways > 80);
    }

    @Test
    public void whatPythonRefusesIsRefused() throws Exception {
        JsonArray refused = cases("refused");
        for (JsonElement element : refused) {
            JsonObject one = element.getAsJsonObject();
            byte[] text = bytes(one.get("text").getAsString());
            FetchException error = assertThrows(
                    one.get("name").toString(), FetchException.class, () -> ReleaseIndex.parse(text));
            assertEquals(one.get("name").getAsString().equals("a newer version")
                    ? FetchException.Code.NEWER_VERSION : FetchException.Code.DAMAGED, error.code());
        }
        assertTrue(refused.size() + " texts", refused.size() > 50);
    }

    @Test
    public void anIndexHasALimit() throws Exception {
        byte[] text = bytes(cases("plans").get(0).getAsJsonObject().get("index").toString());
        byte[] full = Arrays.copyOf(text, ReleaseIndex.MAX_BYTES);
        Arrays.fill(full, text.length, full.length, (byte) ' ');
        assertEquals(1, ReleaseIndex.parse(full).newest());
        byte[] more = Arrays.copyOf(full, full.length + 1);
        more[full.length] = ' ';
        assertThrows(FetchException.class, () -> ReleaseIndex.parse(more));
    }
}
