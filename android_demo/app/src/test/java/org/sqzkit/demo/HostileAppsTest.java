package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.content.ClipData;
import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Intent;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.graphics.Bitmap;
import android.net.Uri;
import android.os.Bundle;
import android.os.Parcel;
import android.os.Parcelable;
import android.provider.OpenableColumns;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.shadows.ShadowContentResolver;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** Other apps may send any intent, and their providers may answer with anything. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class HostileAppsTest {
    private static final String AUTHORITY = "hostile.app";
    private static final int MANY = 1_000_000;

    private ActivityController<MainActivity> controller;

    @Before
    public void open() throws Exception {
        Screens.useModel("colours_int8.tflite");
        controller = Robolectric.buildActivity(MainActivity.class, new Intent()).setup();
        Screens.settle();
    }

    @After
    public void close() {
        controller.close();
        Screens.engine().close();
    }

    private static AppState state() {
        return Screens.engine().state();
    }

    /** The app still does what it is for. */
    private void assertAlive(String after) throws Exception {
        Screens.engine().photos().classify(Screens.offer("red.jpg", Screens.photo(Screens.RED)));
        Screens.settle();
        assertEquals(after, "red", state().photo().result().best().get(0).label());
        assertEquals(after, "Colours", state().models().current().title());
        assertTrue(after, !controller.get().isFinishing());
    }

    /** A Parcelable of a class that this app cannot read. */
    static final class Foreign implements Parcelable {
        public static final Creator<Foreign> CREATOR = new Creator<Foreign>() {
            @Override
            public Foreign createFromParcel(Parcel in) {
                throw new android.os.BadParcelableException("not of this app");
            }

            @Override
            public Foreign[] newArray(int size) {
                return new Foreign[size];
            }
        };

        @Override
        public int describeContents() {
            return 0;
        }

        @Override
        public void writeToParcel(Parcel out, int flags) {
            out.writeInt(7);
        }
    }

    private static Intent send() {
        return new Intent(Intent.ACTION_SEND).setType("image/jpeg");
    }

    private static Intent withForeignParcelable() {
        Bundle bundle = new Bundle();
        bundle.putParcelable(Intent.EXTRA_STREAM, new Foreign());
        Parcel parcel = Parcel.obtain();
        parcel.writeBundle(bundle);
        parcel.setDataPosition(0);
        return send().replaceExtras(parcel.readBundle(HostileAppsTest.class.getClassLoader()));
    }

    private static Map<String, Intent> intents() {
        Map<String, Intent> intents = new LinkedHashMap<>();
        intents.put("nothing", new Intent());
        intents.put("an unknown action", new Intent("some.ACTION").setType("image/png"));
        intents.put("a share of nothing", send());
        intents.put("a share of text", send().putExtra(Intent.EXTRA_STREAM, "text"));
        intents.put("a share of a number", send().putExtra(Intent.EXTRA_STREAM, 7));
        intents.put("a share of another Parcelable", send().putExtra(Intent.EXTRA_STREAM, new Intent()));
        intents.put("a share of a foreign Parcelable", withForeignParcelable());
        intents.put("a share of a list",
                send().putParcelableArrayListExtra(Intent.EXTRA_STREAM, new ArrayList<>()));
        for (String uri : new String[] {"", "x", "mailto:somebody", "http://example.org/a.jpg",
            "file:///etc/hosts", "file:///data/data/org.sqzkit.demo/files/photograph", "content:",
            "content://", "content://nobody.here/1", "content://nobody.here/" + "a".repeat(MANY),
            "android.resource://org.sqzkit.demo/1", "content://org.sqzkit.demo.photographs/../running"}) {
            String name = uri.substring(0, Math.min(uri.length(), 60));
            intents.put("a share of '" + name + "'",
                    send().putExtra(Intent.EXTRA_STREAM, Uri.parse(uri)));
        }
        return intents;
    }

    @Test
    public void noIntentEndsTheApp() throws Exception {
        for (Map.Entry<String, Intent> intent : intents().entrySet()) {
            controller.newIntent(intent.getValue());
            Screens.settle();
            assertAlive(intent.getKey());
        }
    }

    @Test
    public void noIntentKeepsTheAppFromStarting() throws Exception {
        for (Map.Entry<String, Intent> intent : intents().entrySet()) {
            controller.close();
            controller = Robolectric.buildActivity(MainActivity.class, intent.getValue()).setup();
            Screens.settle();
        }
        assertAlive("all intents");
    }

    private static Intent of(Uri uri) {
        return send().putExtra(Intent.EXTRA_STREAM, uri);
    }

    /** Intents that a judge tried: each has a right photo's address somewhere, or nearly. */
    private static Map<String, Intent> nearlyRight(Uri photo) {
        Map<String, Intent> intents = new LinkedHashMap<>();
        intents.put("an address in the clip alone", send());
        intents.get("an address in the clip alone").setClipData(ClipData.newRawUri("", photo));
        intents.put("two shared at once", new Intent(Intent.ACTION_SEND_MULTIPLE).setType("image/*")
                .putParcelableArrayListExtra(Intent.EXTRA_STREAM, new ArrayList<>(Arrays.asList(photo, photo))));
        intents.put("a share without a type", of(photo).setType(null));
        intents.put("a share of an empty type", of(photo).setType(""));
        intents.put("a type of a million letters", of(photo).setType("image/" + "x".repeat(MANY)));
        intents.put("an opaque address", of(Uri.parse("content:photo.jpg")));
        intents.put("an address of half a character", of(Uri.parse("content://other.app/\ud83d")));
        intents.put("an address of broken percent signs", of(Uri.parse("content://other.app/%zz%")));
        intents.put("the camera's file, which is not there", of(PhotoProvider.address()));
        intents.put("a file of this app under another name",
                of(Uri.parse("content://org.sqzkit.demo.photographs/sqzkit.png%2f..%2frunning")));
        intents.put("extras in extras", of(photo).putExtra("more", nested(500)));
        intents.put("the label of the live view", of(photo).putExtra(LiveActivity.LABEL, 7));
        return intents;
    }

    private static Bundle nested(int depth) {
        Bundle bundle = new Bundle();
        for (int i = 0; i < depth; i++) {
            Bundle around = new Bundle();
            around.putBundle("more", bundle);
            bundle = around;
        }
        return bundle;
    }

    @Test
    public void noIntentThatIsNearlyRightEndsTheApp() throws Exception {
        Uri photo = Screens.offer("blue.jpg", Screens.photo(Screens.BLUE));
        for (Map.Entry<String, Intent> intent : nearlyRight(photo).entrySet()) {
            controller.newIntent(intent.getValue());
            Screens.settle();
            assertAlive(intent.getKey());
        }
    }

    @Test
    public void aTypeInCapitalsIsAPhotoToo() throws Exception {
        controller.newIntent(of(Screens.offer("blue.jpg", Screens.photo(Screens.BLUE))).setType("IMAGE/JPEG"));
        Screens.settle();
        assertEquals("blue", state().photo().result().best().get(0).label());
    }

    /** A stream of which one thing is wrong. */
    private abstract static class OddStream extends InputStream {
        @Override
        public int read() throws IOException {
            return 0;
        }

        @Override
        public abstract int read(byte[] into, int from, int count) throws IOException;
    }

    private interface Reading {
        int read(byte[] into, int from, int count) throws IOException;
    }

    private static InputStream stream(Reading reading) {
        return new OddStream() {
            @Override
            public int read(byte[] into, int from, int count) throws IOException {
                return reading.read(into, from, count);
            }
        };
    }

    private static Map<String, Supplier<InputStream>> streams() {
        Map<String, Supplier<InputStream>> streams = new LinkedHashMap<>();
        streams.put("nothing", () -> null);
        streams.put("an exception", () -> {
            throw new SecurityException("withdrawn");
        });
        streams.put("an error", () -> {
            throw new StackOverflowError();
        });
        streams.put("an exception while it is read", () -> stream((into, from, count) -> {
            throw new IOException("gone");
        }));
        streams.put("a RuntimeException while it is read", () -> stream((into, from, count) -> {
            throw new IllegalStateException("gone");
        }));
        streams.put("an error while it is read", () -> stream((into, from, count) -> {
            throw new OutOfMemoryError("theirs");
        }));
        streams.put("more bytes than asked for", () -> stream((into, from, count) -> count + 1));
        streams.put("far more bytes than asked for",
                () -> stream((into, from, count) -> Integer.MAX_VALUE));
        streams.put("a negative number of bytes", () -> stream((into, from, count) -> -7));
        streams.put("no bytes", () -> new ByteArrayInputStream(new byte[0]));
        streams.put("zeros without end", () -> stream((into, from, count) -> count));
        streams.put("a stream that cannot be closed", () -> new ByteArrayInputStream(new byte[9]) {
            @Override
            public void close() throws IOException {
                throw new IOException("not now");
            }
        });
        return streams;
    }

    @Test
    public void noStreamEndsTheApp() throws Exception {
        for (Map.Entry<String, Supplier<InputStream>> stream : streams().entrySet()) {
            Uri uri = Uri.parse("content://other.app/" + stream.getKey().replace(' ', '_'));
            shadowOf(Screens.context().getContentResolver())
                    .registerInputStreamSupplier(uri, stream.getValue());
            Screens.engine().photos().classify(uri);
            Screens.settle();
            assertNotNull(stream.getKey(), state().photo().error());
            Screens.engine().models().open(uri);
            Screens.settle();
            assertNotNull(stream.getKey(), state().models().failure());
            assertAlive(stream.getKey());
        }
    }

    @Test
    public void streamsThatDeliverNothingAtOnceAreReadByteByByte() throws Exception {
        byte[] photo = Screens.photo(Screens.BLUE);
        Uri uri = Uri.parse("content://other.app/slow.jpg");
        shadowOf(Screens.context().getContentResolver()).registerInputStreamSupplier(uri,
                () -> new ByteArrayInputStream(photo) {
                    @Override
                    public synchronized int read(byte[] into, int from, int count) {
                        return available() == 0 ? -1 : 0;
                    }
                });
        Screens.engine().photos().classify(uri);
        Screens.settle();
        assertEquals("blue", state().photo().result().best().get(0).label());
    }

    /** A provider whose answers to questions for a name are the test's. */
    private static final class Naming extends ContentProvider {
        private final Supplier<Cursor> answer;

        Naming(Supplier<Cursor> answer) {
            this.answer = answer;
        }

        @Override
        public boolean onCreate() {
            return true;
        }

        @Override
        public Cursor query(Uri uri, String[] columns, String selection, String[] arguments, String order) {
            return answer.get();
        }

        @Override
        public String getType(Uri uri) {
            return null;
        }

        @Override
        public Uri insert(Uri uri, ContentValues values) {
            return null;
        }

        @Override
        public int delete(Uri uri, String selection, String[] arguments) {
            return 0;
        }

        @Override
        public int update(Uri uri, ContentValues values, String selection, String[] arguments) {
            return 0;
        }
    }

    private static Cursor name(Object... values) {
        MatrixCursor cursor = new MatrixCursor(new String[] {OpenableColumns.DISPLAY_NAME});
        for (Object value : values) {
            cursor.addRow(new Object[] {value});
        }
        return cursor;
    }

    private static Map<String, Supplier<Cursor>> names() {
        Map<String, Supplier<Cursor>> names = new LinkedHashMap<>();
        names.put("no cursor", () -> null);
        names.put("an exception", () -> {
            throw new UnsupportedOperationException();
        });
        names.put("no rows", HostileAppsTest::name);
        names.put("no columns", () -> {
            MatrixCursor cursor = new MatrixCursor(new String[0]);
            cursor.addRow(new Object[0]);
            return cursor;
        });
        names.put("no name", () -> name((Object) null));
        names.put("an empty name", () -> name(""));
        names.put("a number", () -> name(7));
        names.put("a name of a million letters", () -> name("n".repeat(MANY)));
        names.put("a path", () -> name("../../databases/x.tflite"));
        names.put("line breaks", () -> name("a\nb\u0000c\u202e.tflite"));
        names.put("half a character", () -> name("\ud83d.tflite"));
        return names;
    }

    @Test
    public void noNameEndsTheAppOrLeavesItsFolder() throws Exception {
        byte[] model = Resources.model("foreign.tflite");
        int stored = 0;
        for (Map.Entry<String, Supplier<Cursor>> name : names().entrySet()) {
            ShadowContentResolver.registerProviderInternal(AUTHORITY, new Naming(name.getValue()));
            Uri uri = Uri.parse("content://" + AUTHORITY + "/" + name.getKey().replace(' ', '_'));
            // Of one more byte each, so that no two are the same file.
            byte[] other = Arrays.copyOf(model, model.length + ++stored);
            shadowOf(Screens.context().getContentResolver())
                    .registerInputStreamSupplier(uri, () -> new ByteArrayInputStream(other));
            Screens.engine().models().open(uri);
            Screens.settle();
            assertEquals(name.getKey(), "Elsewhere", state().models().current().title());
            assertTrue(state().models().current().entry().fileName().length() < 80);
        }
        assertEquals(stored + 1, new java.io.File(Screens.context().getFilesDir(), "models").list().length);
    }

    /** A cursor that breaks its contract when it is asked for {@code what}. */
    private static Cursor breaking(String what) {
        return new MatrixCursor(new String[] {OpenableColumns.DISPLAY_NAME}) {
            {
                addRow(new Object[] {"x"});
            }

            @Override
            public String getString(int column) {
                return what.equals("text") ? fail() : super.getString(column);
            }

            @Override
            public void close() {
                if (what.equals("close")) {
                    fail();
                }
                super.close();
            }

            @Override
            public int getCount() {
                return what.equals("count") ? Integer.MAX_VALUE : super.getCount();
            }

            private String fail() {
                throw new IllegalStateException(what);
            }
        };
    }

    /** Names that a judge tried; after the next start each model is still there. */
    @Test
    public void noNameHidesAModelFromTheNextStart() throws Exception {
        Map<String, Supplier<Cursor>> names = new LinkedHashMap<>();
        for (String name : new String[] {"in-1.part", "model-1.part", ".", "..", " ",
            "a/b\\c", "%2e%2e", "x.tflite.sqz"}) {
            names.put(name, () -> name(name));
        }
        names.put("bytes", () -> name(new byte[] {1}));
        for (String what : new String[] {"text", "close", "count"}) {
            names.put("breaks: " + what, () -> breaking(what));
        }
        byte[] model = Resources.model("foreign.tflite");
        int count = 0;
        for (Map.Entry<String, Supplier<Cursor>> name : names.entrySet()) {
            ShadowContentResolver.registerProviderInternal(AUTHORITY, new Naming(name.getValue()));
            Uri uri = Uri.parse("content://" + AUTHORITY + "/" + count++);
            byte[] other = Arrays.copyOf(model, model.length + 100 + count);
            shadowOf(Screens.context().getContentResolver())
                    .registerInputStreamSupplier(uri, () -> new ByteArrayInputStream(other));
            Screens.engine().models().open(uri);
            Screens.settle();
            assertEquals(name.getKey(), "Elsewhere", state().models().current().title());
        }
        controller.close();
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        controller = Robolectric.buildActivity(MainActivity.class).setup();
        Screens.settle();
        assertEquals("Elsewhere", state().models().current().title());
        assertEquals(count + 1, state().models().entries().stream().filter(entry -> !entry.bundled()).count());
    }

    /** Letters that no XML file can hold would cost the whole history at the next start. */
    @Test
    public void noTitleOrClassNameCostsTheHistory() throws Exception {
        Screens.engine().photos().classify(Screens.offer("red.jpg", Screens.photo(Screens.RED)));
        Screens.settle();
        History history = Screens.engine().photos().history();
        String odd = "a/b\u0000\u202e\ud83d\n%2f\uffff";
        history.add(odd, odd, 1);
        Map<String, ?> stored = Screens.context().getSharedPreferences("history", 0).getAll();
        for (Map.Entry<String, ?> entry : stored.entrySet()) {
            assertTrue(entry.toString(), (entry.getKey() + entry.getValue()).matches("[ -~]*"));
        }
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        AppState.Answer read = state().history().answers().get(1);
        assertTrue(read.model(), read.model().startsWith("a/b\u0000\u202e") && read.text().equals(read.model()));
        Screens.useModel("colours_int8.tflite");
        assertAlive("an odd title");
    }

    private static byte[] exif(int... words) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] jpeg = Screens.photo(Screens.GREEN, 200, 100, Bitmap.CompressFormat.JPEG);
        out.write(jpeg, 0, 2);
        byte[] block = new byte[4 + 6 + 8 + 2 * words.length];
        ByteBuffer.wrap(block).putShort((short) 0xffe1).putShort((short) (block.length - 2))
                .put("Exif\0\0MM\0*\0\0\0\b".getBytes(StandardCharsets.ISO_8859_1));
        for (int i = 0; i < words.length; i++) {
            ByteBuffer.wrap(block).putShort(18 + 2 * i, (short) words[i]);
        }
        out.write(block, 0, block.length);
        out.write(jpeg, 2, jpeg.length - 2);
        return out.toByteArray();
    }

    /** Photos that a judge tried: something beside the picture is wrong, or something is behind it. */
    @Test
    public void whatIsWrongBesideThePictureIsIgnored() throws Exception {
        Map<String, byte[]> photos = new LinkedHashMap<>();
        photos.put("turned by 0", exif(1, 0x112, 3, 0, 1, 0, 0, 0, 0));
        photos.put("turned by 9", exif(1, 0x112, 3, 0, 1, 9, 0, 0, 0));
        photos.put("turned by 65,535", exif(1, 0x112, 3, 0, 1, 0xffff, 0, 0, 0));
        photos.put("a turn that is text", exif(1, 0x112, 2, 0, 1, 6, 0, 0, 0));
        photos.put("billions of turns", exif(1, 0x112, 3, 0xffff, 0xffff, 6, 0, 0, 0));
        photos.put("65,535 entries", exif(0xffff, 0x112));
        photos.put("a list that is its own next", exif(0, 0, 8));
        photos.put("no EXIF in EXIF", exif());
        byte[] jpeg = Screens.photo(Screens.GREEN, 200, 100, Bitmap.CompressFormat.JPEG);
        photos.put("a megabyte behind it", Arrays.copyOf(jpeg, jpeg.length + (1 << 20)));
        byte[] png = Screens.photo(Screens.GREEN, 200, 100, Bitmap.CompressFormat.PNG);
        photos.put("a model behind it", concatenated(png, Resources.model("colours_int8.tflite")));
        photos.put("two pictures", concatenated(png, jpeg));
        for (Map.Entry<String, byte[]> photo : photos.entrySet()) {
            Screens.engine().photos().classify(Screens.offer("odd.jpg", photo.getValue()));
            Screens.settle();
            assertNull(photo.getKey(), state().photo().error());
            assertEquals(photo.getKey(), "green", state().photo().result().best().get(0).label());
        }
        assertAlive("all of them");
    }

    private static byte[] concatenated(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    /** What decoders and other apps may say of a video. */
    private static Map<String, VideoSession.Opener> decoders() {
        Map<String, VideoSession.Opener> decoders = new LinkedHashMap<>();
        Map<String, String[]> facts = new LinkedHashMap<>();
        facts.put("nothing", new String[] {null, null, null, null});
        facts.put("only sound", new String[] {null, "1000", null, null});
        facts.put("no length", new String[] {"yes", null, "96", "64"});
        facts.put("a length of 0", new String[] {"yes", "0", "96", "64"});
        facts.put("a negative length", new String[] {"yes", "-5", "96", "64"});
        facts.put("a length that is text", new String[] {"yes", "long", "96", "64"});
        facts.put("a length beyond numbers", new String[] {"yes", "9".repeat(30), "96", "64"});
        facts.put("an endless length", new String[] {"yes", String.valueOf(Long.MAX_VALUE), "96", "64"});
        facts.put("no width", new String[] {"yes", "1000", "0", "64"});
        facts.put("no height", new String[] {"yes", "1000", "96", null});
        facts.put("no frames", new String[] {"yes", "1000", "96", "64"});
        facts.put("pixels without end", new String[] {"yes", "1000", "2147483647", "2147483647"});
        for (Map.Entry<String, String[]> fact : facts.entrySet()) {
            decoders.put(fact.getKey(), uri -> {
                String[] said = fact.getValue();
                Videos.describe(uri, said[0], said[1], said[2], said[3]);
                return RetrieverReader.open(Screens.context(), uri);
            });
        }
        decoders.put("an exception", uri -> {
            throw new SecurityException("withdrawn");
        });
        decoders.put("an error", uri -> {
            throw new StackOverflowError();
        });
        decoders.put("no memory for a frame", uri -> Videos.reader(1000, time -> {
            throw new OutOfMemoryError("a frame");
        }, () -> { }));
        decoders.put("an exception at a frame", uri -> Videos.reader(1000, time -> {
            throw new IllegalStateException("the media server died");
        }, () -> { }));
        decoders.put("an exception at the end", uri -> Videos.reader(100, time -> Videos.frame(Screens.RED), () -> {
            throw new IllegalStateException("gone");
        }));
        return decoders;
    }

    @Test
    public void noVideoEndsTheApp() throws Exception {
        Map<String, Integer> said = new LinkedHashMap<>();
        int count = 0;
        for (Map.Entry<String, VideoSession.Opener> decoder : decoders().entrySet()) {
            Screens.engine().video().decodeWith(decoder.getValue());
            Screens.engine().video().classify(Uri.parse("content://other.app/odd" + count++ + ".mp4"));
            Screens.settle();
            assertNotNull(decoder.getKey(), state().video().error());
            assertTrue(decoder.getKey(), !state().video().running());
            said.put(decoder.getKey(), state().video().error().resource());
            assertAlive(decoder.getKey());
        }
        assertEquals(R.string.error_video_sound, (int) said.get("only sound"));
        assertEquals(R.string.error_video, (int) said.get("no length"));
        assertEquals(R.string.error_video_frames, (int) said.get("no frames"));
    }

    /** The retriever gets no address but those of other apps' files. */
    @Test
    public void noAddressOfAVideoEndsTheApp() throws Exception {
        for (String address : new String[] {"", "x", "file:///data/data/org.sqzkit.demo/files/photograph",
            "http://example.org/a.mp4", "content:", "content://", "content://nobody.here/1"}) {
            Screens.engine().video().classify(Uri.parse(address));
            Screens.settle();
            assertNotNull(address, state().video().error());
        }
        assertAlive("all addresses");
    }

    @Test
    public void framesOfStrangeShapesAreClassified() throws Exception {
        int[][] sizes = {{1, 1}, {1, 5000}, {5000, 1}, {16, 4000}};
        for (int[] size : sizes) {
            Bitmap frame = Bitmap.createBitmap(size[0], size[1], Bitmap.Config.ARGB_8888);
            frame.eraseColor(Screens.GREEN);
            Screens.engine().video().decodeWith(uri -> Videos.reader(100, time -> frame, () -> { }));
            Screens.engine().video().classify(Uri.parse("content://other.app/odd.mp4"));
            Screens.settle();
            assertNull(state().video().error());
            assertEquals("green", state().video().frames().get(0).label());
        }
    }

    private static Map<String, byte[]> photos() throws IOException {
        byte[] jpeg = Screens.photo(Screens.GREEN, 200, 100, Bitmap.CompressFormat.JPEG);
        byte[] png = Screens.photo(Screens.GREEN, 200, 100, Bitmap.CompressFormat.PNG);
        Map<String, byte[]> photos = new LinkedHashMap<>();
        photos.put("the head of a JPEG", Arrays.copyOf(jpeg, 20));
        photos.put("the head of a PNG", Arrays.copyOf(png, 20));
        photos.put("a picture of billions of pixels", Resources.read("huge_header.png"));
        photos.put("a .tflite", Resources.model("colours_int8.tflite"));
        photos.put("a .sqz", Resources.model("colours_int8.sqz"));
        photos.put("a GIF without a picture", "GIF89a".getBytes());
        photos.put("an SVG", "<svg xmlns='http://www.w3.org/2000/svg'/>".getBytes());
        byte[] zeros = png.clone();
        Arrays.fill(zeros, 16, 24, (byte) 0);
        photos.put("a PNG of no width", zeros);
        return photos;
    }

    @Test
    public void noPhotoEndsTheApp() throws Exception {
        for (Map.Entry<String, byte[]> photo : photos().entrySet()) {
            Screens.engine().photos().classify(Screens.offer("photo.jpg", photo.getValue()));
            Screens.settle();
            assertNotNull(photo.getKey(), state().photo().error());
            assertAlive(photo.getKey());
        }
    }

    @Test
    public void strangeShapesAreClassified() throws Exception {
        int[][] sizes = {{1, 1}, {1, 5000}, {5000, 1}, {16, 4000}};
        for (int[] size : sizes) {
            Screens.engine().photos().classify(Screens.offer(size[0] + "x" + size[1] + ".png",
                    Screens.photo(Screens.GREEN, size[0], size[1], Bitmap.CompressFormat.PNG)));
            Screens.settle();
            assertEquals("green", state().photo().result().best().get(0).label());
        }
    }
}
