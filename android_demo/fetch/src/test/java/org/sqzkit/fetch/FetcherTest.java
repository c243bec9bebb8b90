package org.sqzkit.fetch;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.After;
import org.junit.Before;
import org.junit.BeforeClass;
import org.junit.ClassRule;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.sqzkit.sqz.SqzDecoder;

/** Folders that Python published, from a local https server that does what a test wants. */
public class FetcherTest {
    private static final long LIMIT = 1 << 20;
    private static final char[] PASSWORD = "password".toCharArray();

    @ClassRule public static final TemporaryFolder KEYS = new TemporaryFolder();
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    private static SSLContext context;
    private final Map<String, byte[]> files = new HashMap<>();
    private final Map<String, Fault> faults = new HashMap<>();
    private final List<String> requests = new ArrayList<>();
    private HttpsServer server;
    private File model;

    /** What goes wrong when a file is asked for. */
    private interface Fault {
        void answer(HttpExchange exchange, byte[] content) throws IOException;
    }

    @BeforeClass
    public static void makeCertificate() throws Exception {
        File store = new File(KEYS.getRoot(), "server.p12");
        String keytool = Paths.get(System.getProperty("java.home"), "bin", "keytool").toString();
        Process made = new ProcessBuilder(keytool, "-genkeypair", "-keyalg", "EC", "-groupname",
                "secp256r1", "-alias", "server", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1",
                "-validity", "30", "-storetype", "PKCS12", "-keystore", store.toString(),
                "-storepass", new String(PASSWORD)).redirectErrorStream(true).start();
        made.getInputStream().close();
        assertEquals(0, made.waitFor());
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store.toPath())) {
            keys.load(in, PASSWORD);
        }
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(keys, PASSWORD);
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("server", keys.getCertificate("server"));
        TrustManagerFactory trust =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        context = SSLContext.getInstance("TLS");
        context.init(own.getKeyManagers(), trust.getTrustManagers(), null);
    }

    @Before
    public void serve() throws Exception {
        model = new File(folder.getRoot(), "model.tflite");
        server = HttpsServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context));
        server.createContext("/", this::answer);
        server.start();
        publish("plain");
    }

    @After
    public void stop() {
        server.stop(0);
    }

    private void publish(String name) throws IOException {
        files.clear();
        try (java.nio.file.DirectoryStream<Path> list =
                Files.newDirectoryStream(ReleaseIndexTest.GOLDEN.resolve(name))) {
            for (Path path : list) {
                files.put(path.getFileName().toString(), Files.readAllBytes(path));
            }
        }
    }

    private void answer(HttpExchange exchange) throws IOException {
        String name = exchange.getRequestURI().getPath().replaceAll(".*/", "");
        String range = exchange.getRequestHeaders().getFirst("Range");
        requests.add(name + (range == null ? "" : " " + range));
        byte[] content = files.get(name);
        try {
            if (content == null) {
                exchange.sendResponseHeaders(404, -1);
            } else {
                faults.getOrDefault(name, FetcherTest::send).answer(exchange, content);
            }
        } catch (IOException e) {
            // The reader hung up, or this answer was to break off.
        } finally {
            exchange.close();
        }
    }

    private static void send(HttpExchange exchange, byte[] content) throws IOException {
        stop(exchange, content, content.length);
    }

    /** Announces all that is missing and sends at most {@code most} bytes. */
    private static void stop(HttpExchange exchange, byte[] content, int most) throws IOException {
        String range = exchange.getRequestHeaders().getFirst("Range");
        int start = range == null ? 0 : Integer.parseInt(range.replaceAll("[^0-9]", ""));
        if (start > 0) {
            exchange.getResponseHeaders().set("Content-Range",
                    "bytes " + start + "-" + (content.length - 1) + "/" + content.length);
        }
        exchange.sendResponseHeaders(start > 0 ? 206 : 200, content.length - start);
        exchange.getResponseBody().write(content, start, Math.min(most, content.length - start));
        exchange.getResponseBody().flush();
    }

    private Fetcher fetcher(byte[] key) {
        return new Fetcher("https://127.0.0.1:" + server.getAddress().getPort() + "/site", key,
                context.getSocketFactory());
    }

    private long fetch() throws IOException {
        return fetcher(null).fetch(model, null);
    }

    private void refuses(FetchException.Code code) {
        FetchException error = assertThrows(FetchException.class, this::fetch);
        assertEquals(error.getMessage(), code, error.code());
    }

    private static byte[] key() throws Exception {
        String pem = new String(
                Files.readAllBytes(ReleaseIndexTest.GOLDEN.resolve("public.pem")),
                StandardCharsets.US_ASCII);
        return Base64.getMimeDecoder().decode(pem.replaceAll("-----[^-]*-----", ""));
    }

    private static byte[] release(int number) throws Exception {
        return SqzDecoder.decode(Files.readAllBytes(
                ReleaseIndexTest.GOLDEN.resolve("plain/" + number + ".sqz")), LIMIT, null);
    }

    private void have(int number) throws Exception {
        Files.write(model.toPath(), release(number));
    }

    private void assertModel(int number) throws Exception {
        assertArrayEquals(release(number), Files.readAllBytes(model.toPath()));
    }

    private void changeIndex(String from, String to) {
        String text = new String(files.get("index.json"), StandardCharsets.UTF_8);
        assertTrue(from, text.contains(from));
        files.put("index.json", text.replace(from, to).getBytes(StandardCharsets.UTF_8));
    }

    @Test
    public void theCheapestWayIsFetched() throws Exception {
        assertEquals(4, fetch());
        assertModel(4);
        assertEquals(Arrays.asList("index.json", "4.sqz"), requests);
        requests.clear();
        have(1);
        fetch();
        assertModel(4);
        assertEquals(Arrays.asList("index.json", "1-3.sqz", "3-4.sqz"), requests);
        requests.clear();
        fetch();
        assertEquals(Arrays.asList("index.json"), requests);
        assertArrayEquals(new String[] {"model.tflite", "model.tflite.release"}, names());
    }

    private String[] names() {
        String[] names = folder.getRoot().list();
        Arrays.sort(names);
        return names;
    }

    @Test
    public void whatIsSignedIsFetchedWithItsKey() throws Exception {
        publish("signed");
        have(2);
        assertEquals(4, fetcher(key()).fetch(model, null));
        assertModel(4);
        byte[] other = key();
        other[other.length - 1] ^= 1;
        FetchException error =
                assertThrows(FetchException.class, () -> fetcher(other).fetch(model, null));
        assertEquals(FetchException.Code.SIGNATURE, error.code());
        files.put("index.signed", Files.readAllBytes(ReleaseIndexTest.GOLDEN.resolve("plain/index.json")));
        error = assertThrows(FetchException.class, () -> fetcher(key()).fetch(model, null));
        assertEquals(FetchException.Code.SIGNATURE, error.code());
        refuses(FetchException.Code.NETWORK); // there is no index.json
    }

    @Test
    public void aSignedArchiveOfAnotherReleaseIsRefused() throws Exception {
        publish("signed");
        byte[] wrong = files.get("3.sqz");
        files.put("4.sqz", wrong);
        assertThrows(FetchException.class, () -> fetcher(key()).fetch(model, null));
        assertFalse(model.exists());
    }

    @Test
    public void aServerThatStopsIsAskedForTheRest() throws Exception {
        faults.put("4.sqz", (exchange, content) -> stop(exchange, content, 300));
        fetch();
        assertModel(4);
        assertTrue(requests.toString(), requests.contains("4.sqz bytes=300-"));
    }

    @Test
    public void theNextCallResumes() throws Exception {
        faults.put("4.sqz", (exchange, content) ->
                stop(exchange, content, exchange.getRequestHeaders().containsKey("Range") ? 0 : 300));
        refuses(FetchException.Code.NETWORK);
        assertFalse(model.exists());
        faults.clear();
        requests.clear();
        fetch();
        assertModel(4);
        assertEquals(Arrays.asList("index.json", "4.sqz bytes=300-"), requests);
    }

    @Test
    public void anotherAnswerThanTheIndexSaysIsRefused() throws Exception {
        have(3);
        faults.put("3-4.sqz", (exchange, content) ->
                send(exchange, Arrays.copyOf(content, content.length + 1)));
        refuses(FetchException.Code.DAMAGED);
        faults.put("3-4.sqz", (exchange, content) ->
                send(exchange, Arrays.copyOf(content, content.length - 1)));
        refuses(FetchException.Code.DAMAGED);
        faults.put("3-4.sqz", (exchange, content) -> {
            exchange.sendResponseHeaders(200, 0); // a length that is not told
            exchange.getResponseBody().write(Arrays.copyOf(content, content.length + 1));
        });
        refuses(FetchException.Code.DAMAGED);
        faults.put("3-4.sqz", (exchange, content) -> send(exchange, new byte[content.length]));
        refuses(FetchException.Code.DAMAGED);
        faults.put("3-4.sqz", (exchange, content) -> {
            exchange.getResponseHeaders().set("Location", "http://127.0.0.1:1/3-4.sqz");
            exchange.sendResponseHeaders(302, -1);
        });
        refuses(FetchException.Code.NETWORK);
        assertModel(3);
        faults.clear();
        fetch();
        assertModel(4);
    }

    @Test
    public void anIndexThatLiesGivesNoModel() throws Exception {
        have(3);
        byte[] wrong = files.get("2-4.sqz");
        byte[] right = files.get("3-4.sqz");
        files.put("3-4.sqz", wrong);
        changeIndex(sha256(right), sha256(wrong));
        changeIndex("\"size\": " + right.length, "\"size\": " + wrong.length);
        refuses(FetchException.Code.DAMAGED);
        assertModel(3);
    }

    private static String sha256(byte[] content) throws Exception {
        StringBuilder digits = new StringBuilder();
        for (byte one : java.security.MessageDigest.getInstance("SHA-256").digest(content)) {
            digits.append(String.format("%02x", one));
        }
        return digits.toString();
    }

    @Test
    public void staleAndRolledBackIndexesAreRefused() throws Exception {
        changeIndex("\"expires\": null", "\"expires\": 1000000000");
        refuses(FetchException.Code.EXPIRED);
        changeIndex("\"expires\": 1000000000", "\"expires\": 4000000000");
        Files.write(new File(folder.getRoot(), "model.tflite.release").toPath(), new byte[] {'5'});
        refuses(FetchException.Code.ROLLED_BACK);
        Files.write(new File(folder.getRoot(), "model.tflite.release").toPath(), new byte[] {'?'});
        assertThrows(IOException.class, this::fetch);
        assertFalse(model.exists());
    }

    @Test
    public void anEndlessIndexIsRefused() throws Exception {
        byte[] spaces = new byte[2 << 20];
        Arrays.fill(spaces, (byte) ' ');
        files.put("index.json", spaces);
        refuses(FetchException.Code.DAMAGED);
    }

    @Test
    public void namesOutsideTheFolderAreRefused() throws Exception {
        changeIndex("\"4.sqz\"", "\"../4.sqz\"");
        refuses(FetchException.Code.DAMAGED);
        assertEquals(Arrays.asList("index.json"), requests);
    }

    @Test
    public void progressMayStopIt() throws Exception {
        assertThrows(IllegalStateException.class, () -> fetcher(null).fetch(model,
                (done, total) -> {
                    throw new IllegalStateException("stopped");
                }));
        assertFalse(model.exists());
        fetch();
        assertModel(4);
    }

    @Test
    public void onlyHttpsIsTaken() {
        for (String url : new String[] {"http://a.org/b", "a.org", "", "https:///b", "https://a.org/b?c",
            "https://a.org/b#c", "https://a.org/ b", "file:///etc", "https://me:secret@a.org/b",
            "https://a.org:99999/b"}) {
            assertThrows(url, IllegalArgumentException.class, () -> new Fetcher(url, null, null));
        }
    }

    @Test
    public void anUnknownCertificateIsRefused() {
        FetchException error = assertThrows(FetchException.class, () -> new Fetcher("https://127.0.0.1:"
                + server.getAddress().getPort(), null, null).fetch(model, null));
        assertEquals(FetchException.Code.NETWORK, error.code());
    }
}
