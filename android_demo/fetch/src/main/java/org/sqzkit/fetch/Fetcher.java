package org.sqzkit.fetch;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLSocketFactory;
import org.sqzkit.sqz.Progress;
import org.sqzkit.sqz.SignedArchive;
import org.sqzkit.sqz.SqzDecoder;
import org.sqzkit.sqz.SqzException;

/**
 * Brings a file up to the newest release in a folder that {@code sqzkit publish} wrote.
 *
 * <p>Beside the file it keeps the newest release that it saw ({@code .release}) and what an
 * interrupted call fetched ({@code .part}). The file is replaced at once, or stays as it was.
 * Needs a thread of its own; one call at a time for a file.
 */
public final class Fetcher {
    private static final int MAX_CONNECTIONS = 10;
    private static final int TIMEOUT_MILLIS = 30_000;
    private static final int MAX_SIGNATURE = 1 << 10;

    private final String folder;
    private final byte[] key;
    private final SSLSocketFactory sockets;

    /**
     * Names where releases come from.
     *
     * @param folder https address of the folder
     * @param publicKey key of P-256 (SubjectPublicKeyInfo) that must have signed all; null: none
     * @param sockets opens connections, for certificates of your own; null: the system's
     */
    public Fetcher(String folder, byte[] publicKey, SSLSocketFactory sockets) {
        try {
            URI address = new URI(folder);
            if (!"https".equals(address.getScheme()) || address.getHost() == null
                    || address.getQuery() != null || address.getFragment() != null
                    || address.getUserInfo() != null || address.getPort() > 0xFFFF) {
                throw new IllegalArgumentException(folder + ": must be the https address of a folder");
            }
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(folder + ": must be the https address of a folder", e);
        }
        this.folder = folder.replaceAll("/+$", "") + "/";
        this.key = publicKey == null ? null : publicKey.clone();
        this.sockets = sockets;
    }

    /**
     * Fetches what is missing and replaces the file.
     *
     * @param file the model to write or to bring up to date
     * @param progress told how far an archive is unpacked, or null; throw from it to stop
     * @return the number of the release that the file is now
     * @throws FetchException if the server does not answer as it should, or its files are not taken
     * @throws IOException also if a file here cannot be read or written
     */
    public long fetch(File file, Progress progress) throws IOException {
        ReleaseIndex index = index();
        refuseOlder(index, sibling(file, ".release"));
        byte[] content = file.exists() ? read(file) : null;
        List<ReleaseIndex.Entry> way =
                index.plan(content == null ? null : index.releaseOf(sha256(content)));
        for (ReleaseIndex.Entry entry : way) {
            content = unpack(entry, archive(entry, file), entry.base == null ? null : content, progress);
            if (!sha256(content).equals(index.release(entry.release).sha256)) {
                throw wrong(entry, "gives another file than release " + entry.release);
            }
        }
        if (!way.isEmpty()) {
            write(content, file);
        }
        for (ReleaseIndex.Entry entry : way) {
            part(file, entry).delete();
        }
        return index.newest();
    }

    private ReleaseIndex index() throws IOException {
        String name = key == null ? "index.json" : "index.signed";
        byte[] content = small(name);
        ReleaseIndex index = ReleaseIndex.parse(key == null ? content : open(name, content));
        if (key != null && SignedArchive.release(content) != index.newest()) {
            throw new FetchException(FetchException.Code.SIGNATURE,
                    name + " is signed as another release than it ends with");
        }
        Long expires = index.expires();
        if (expires != null && System.currentTimeMillis() / 1000 > expires) {
            throw new FetchException(FetchException.Code.EXPIRED, name + " is past its last day");
        }
        return index;
    }

    private byte[] open(String name, byte[] signed) throws FetchException {
        try {
            return SignedArchive.open(signed, key, 0);
        } catch (SqzException e) {
            throw new FetchException(FetchException.Code.SIGNATURE, name + ": " + e.getMessage());
        }
    }

    private static void refuseOlder(ReleaseIndex index, File note) throws IOException {
        long seen = -1;
        if (note.exists()) {
            String text = new String(read(note), StandardCharsets.US_ASCII);
            if (!text.matches("[0-9]{1,16}")) {
                throw new IOException(note + " is damaged");
            }
            seen = Long.parseLong(text);
        }
        if (index.newest() < seen) {
            throw new FetchException(FetchException.Code.ROLLED_BACK, "the newest release is "
                    + index.newest() + ", but " + seen + " was seen before");
        }
        if (index.newest() > seen) {
            write(String.valueOf(index.newest()).getBytes(StandardCharsets.US_ASCII), note);
        }
    }

    private byte[] unpack(ReleaseIndex.Entry entry, byte[] archive, byte[] base, Progress progress)
            throws IOException {
        byte[] plain = archive;
        if (key != null) {
            plain = open(entry.name, archive);
            if (SignedArchive.release(archive) != entry.release) {
                throw new FetchException(FetchException.Code.SIGNATURE,
                        entry.name + " is signed as another release");
            }
        }
        try {
            return SqzDecoder.decode(plain, base, ReleaseIndex.MAX_FILE, progress);
        } catch (SqzException e) {
            if (e.code() == SqzException.Code.STOPPED) {
                throw e;
            }
            throw wrong(entry, e.getMessage());
        }
    }

    private static FetchException wrong(ReleaseIndex.Entry entry, String why) {
        return new FetchException(FetchException.Code.DAMAGED, entry.name + ": " + why);
    }

    /** Returns an archive with the size and SHA-256 that the index names. */
    private byte[] archive(ReleaseIndex.Entry entry, File file) throws IOException {
        File part = part(file, entry);
        IOException problem = null;
        for (int i = 0; i < MAX_CONNECTIONS && (part.length() != entry.size || !part.exists()); i++) {
            long before = part.length();
            problem = append(entry, part);
            if (part.length() <= before && problem != null) {
                break;
            }
        }
        if (part.length() < entry.size) {
            throw new FetchException(FetchException.Code.NETWORK,
                    entry.name + ": the server stopped in the middle" + (problem == null ? "" : ": " + problem));
        }
        byte[] content = read(part);
        if (content.length != entry.size || !sha256(content).equals(entry.sha256)) {
            part.delete();
            throw wrong(entry, "is not the file that the index names");
        }
        return content;
    }

    /** Appends what is missing; returns what the network did wrong, or null. */
    private IOException append(ReleaseIndex.Entry entry, File part) throws IOException {
        long start = part.length() < entry.size ? part.length() : 0;
        HttpsURLConnection connection = connect(entry.name);
        try (RandomAccessFile out = new RandomAccessFile(part, "rw")) {
            if (start > 0) {
                connection.setRequestProperty("Range", "bytes=" + start + "-");
            }
            try (InputStream in = body(connection, entry.name)) {
                if (connection.getResponseCode() != 206) {
                    start = 0; // the server begins again
                }
                requireLength(connection, entry, start);
                out.setLength(start);
                out.seek(start);
                return copy(in, out, entry, entry.size - start);
            } catch (FetchException e) {
                throw e;
            } catch (NetworkException e) {
                return e;
            }
        } finally {
            connection.disconnect();
        }
    }

    /** Not a trouble of the disk. */
    private static final class NetworkException extends IOException {
        private static final long serialVersionUID = 1;

        NetworkException(IOException cause) {
            super(cause.toString(), cause);
        }
    }

    private static IOException copy(InputStream in, RandomAccessFile out, ReleaseIndex.Entry entry,
            long missing) throws IOException {
        byte[] piece = new byte[1 << 16];
        long left = missing;
        while (true) {
            int count;
            try {
                count = in.read(piece);
            } catch (IOException e) {
                return e;
            }
            if (count < 0) {
                return null;
            }
            left -= count;
            if (left < 0) {
                throw wrong(entry, "the server sends more bytes than the index names");
            }
            out.write(piece, 0, count);
        }
    }

    private static void requireLength(HttpsURLConnection connection, ReleaseIndex.Entry entry,
            long start) throws FetchException {
        String length = connection.getHeaderField("Content-Length");
        String range = connection.getHeaderField("Content-Range");
        if (length != null && !length.equals(String.valueOf(entry.size - start))
                || range != null && !range.trim().startsWith("bytes " + start + "-")) {
            throw wrong(entry, "the server sends " + length + " bytes (" + range + ")");
        }
    }

    private HttpsURLConnection connect(String name) throws IOException {
        HttpsURLConnection connection = (HttpsURLConnection) new URL(folder + name).openConnection();
        // A redirection from https to http is not followed by HttpsURLConnection either way.
        connection.setConnectTimeout(TIMEOUT_MILLIS);
        connection.setReadTimeout(TIMEOUT_MILLIS);
        connection.setUseCaches(false);
        connection.setRequestProperty("Accept-Encoding", "identity");
        if (sockets != null) {
            connection.setSSLSocketFactory(sockets);
        }
        return connection;
    }

    private static InputStream body(HttpsURLConnection connection, String name)
            throws FetchException, NetworkException {
        try {
            int status = connection.getResponseCode();
            if (status != 200 && status != 206) {
                throw new FetchException(FetchException.Code.NETWORK,
                        name + ": the server answers " + status);
            }
            return connection.getInputStream();
        } catch (FetchException e) {
            throw e;
        } catch (IOException e) {
            throw new NetworkException(e);
        }
    }

    private byte[] small(String name) throws IOException {
        HttpsURLConnection connection = connect(name);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (InputStream in = body(connection, name)) {
            byte[] piece = new byte[1 << 14];
            for (int count; (count = in.read(piece)) >= 0; ) {
                out.write(piece, 0, count);
                if (out.size() > ReleaseIndex.MAX_BYTES + MAX_SIGNATURE) {
                    throw ReleaseIndex.damaged("it is larger than an index may be");
                }
            }
            return out.toByteArray();
        } catch (FetchException e) {
            throw e;
        } catch (IOException e) {
            throw new FetchException(FetchException.Code.NETWORK, name + ": " + e.getMessage());
        } finally {
            connection.disconnect();
        }
    }

    private static File part(File file, ReleaseIndex.Entry entry) {
        return sibling(file, "." + entry.sha256.substring(0, 16) + ".part");
    }

    private static File sibling(File file, String ending) {
        return new File(file.getAbsoluteFile().getParentFile(), file.getName() + ending);
    }

    private static void write(byte[] content, File file) throws IOException {
        File aside = sibling(file, ".new");
        try (FileOutputStream out = new FileOutputStream(aside)) {
            out.write(content);
            out.getFD().sync();
        }
        if (!aside.renameTo(file)) {
            throw new IOException("cannot rename to " + file);
        }
    }

    private static byte[] read(File file) throws IOException {
        if (file.length() > ReleaseIndex.MAX_FILE + (1 << 16)) {
            throw new IOException(file + " is larger than a model may be");
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream((int) file.length());
        try (InputStream in = new FileInputStream(file)) {
            byte[] piece = new byte[1 << 16];
            for (int count; (count = in.read(piece)) >= 0; ) {
                out.write(piece, 0, count);
            }
        }
        return out.toByteArray();
    }

    private static String sha256(byte[] content) {
        try {
            StringBuilder digits = new StringBuilder();
            for (byte one : MessageDigest.getInstance("SHA-256").digest(content)) {
                digits.append(String.format("%02x", one));
            }
            return digits.toString();
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e); // every Java has it
        }
    }
}
