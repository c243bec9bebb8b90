"""Signed archives: who signed, what, and which release."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sqzkit.base.errors import FormatError, MissingExtraError, UsageError
from sqzkit.coding import archive_files, signing, sqz
from sqzkit.tflite import flatbuffer

GOLDEN = Path(__file__).parents[1] / "golden" / "sqz"
JAVA = """
import java.nio.file.*;
import java.security.*;
import java.security.spec.X509EncodedKeySpec;
import java.util.*;

public class Verify {
    public static void main(String[] names) throws Exception {
        byte[] signed = Files.readAllBytes(Paths.get(names[0]));
        String pem = new String(Files.readAllBytes(Paths.get(names[1])), "US-ASCII");
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[^-]*-----", ""));
        PublicKey key = KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(der));
        int size = (signed[48] & 255) | (signed[49] & 255) << 8;
        Signature check = Signature.getInstance("SHA256withECDSA");
        check.initVerify(key);
        check.update(signed, 0, 48);
        boolean right = check.verify(signed, 50, size);
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        digest.update(signed, 50 + size, signed.length - 50 - size);
        byte[] named = Arrays.copyOfRange(signed, 16, 48);
        System.out.println(right && Arrays.equals(named, digest.digest()));
    }
}
"""


def pair(curve="SECP256R1"):
    """Return a new private and public key as PEM files' bytes."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(getattr(ec, curve)())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return private, key.public_key().public_bytes(pem, spki)


@pytest.fixture(scope="module")
def keys():
    return pair()


@pytest.fixture
def archive():
    return sqz.pack(b"a model " * 40)


def test_what_was_signed_comes_back_with_its_release(keys, archive):
    private, public = keys
    signed = signing.sign(archive, private, 7)
    assert signing.verify(signed, public, min_release=7) == signing.Verified(archive, 7)
    assert len(signed) <= len(archive) + 50 + signing.MAX_SIGNATURE


def test_an_older_release_is_refused(keys, archive):
    private, public = keys
    signed = signing.sign(archive, private, 7)
    with pytest.raises(FormatError, match="release 7 is older than 8"):
        signing.verify(signed, public, min_release=8)


def test_every_changed_byte_is_noticed(keys, archive):
    private, public = keys
    signed = signing.sign(archive, private, 7)
    for at in (*range(130), len(signed) - 1):
        changed = bytearray(signed)
        changed[at] ^= 1
        with pytest.raises(FormatError):
            signing.verify(bytes(changed), public)
    for cut in (0, 3, 47, 49, 60, len(signed) - 1):
        with pytest.raises(FormatError):
            signing.verify(signed[:cut], public)
    with pytest.raises(FormatError, match="SHA-256"):
        signing.verify(signed + b"\0", public)


def test_another_key_is_refused(keys, archive):
    _, other = pair()
    with pytest.raises(FormatError, match="not signed with this key"):
        signing.verify(signing.sign(archive, keys[0], 1), other)


def test_keys_of_other_kinds_are_refused(keys, archive):
    private, public = keys
    wrong, other = pair("SECP384R1")
    for key in (b"", b"no key", public, wrong):
        with pytest.raises(UsageError, match="private key of P-256"):
            signing.sign(archive, key, 1)
    signed = signing.sign(archive, private, 1)
    for key in (b"", private, other):
        with pytest.raises(UsageError, match="public key of P-256"):
            signing.verify(signed, key)
    for release in (-1, 1 << 63):
        with pytest.raises(UsageError, match="--release"):
            signing.sign(archive, private, release)


def test_files_are_signed_and_checked(keys, archive, tmp_path):
    for name, content in zip(("private", "public"), keys, strict=True):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "a.sqz").write_bytes(archive)
    made = archive_files.sign(tmp_path / "a.sqz", key=tmp_path / "private", release=3)
    assert made == tmp_path / "a.signed.sqz"
    with pytest.raises(UsageError, match="exists"):
        archive_files.sign(tmp_path / "a.sqz", key=tmp_path / "private", release=4)
    with pytest.raises(FormatError, match="sqz verify"):
        archive_files.unpack(made, tmp_path / "no")
    found = archive_files.verify(made, tmp_path / "b.sqz", key=tmp_path / "public")
    assert (found.release, (tmp_path / "b.sqz").read_bytes()) == (3, archive)
    (tmp_path / "c.sqz").write_bytes(b"no archive")
    with pytest.raises(FormatError, match=r"c\.sqz"):
        archive_files.sign(tmp_path / "c.sqz", key=tmp_path / "private", release=3)


def test_a_signed_archive_is_not_taken_for_a_file_of_its_own(keys, archive, tmp_path):
    signed = signing.sign(archive, keys[0], 3)
    for use in (
        lambda: sqz.pack(b"new", signed),
        lambda: sqz.unpack(sqz.pack(b"new", b"old"), base=signed),
        lambda: flatbuffer.expand(signed),
    ):
        with pytest.raises(FormatError, match="signed archive: check it first"):
            use()


def test_a_key_that_is_none_is_named(keys, tmp_path):
    for name, content in zip(("private", "public"), keys, strict=True):
        (tmp_path / name).write_bytes(content)
        assert signing.read_key(tmp_path / name, name) == content
    with pytest.raises(UsageError, match=r"--key=.*/public: not an unencrypted private key.*open"):
        signing.read_key(tmp_path / "public", "private")
    with pytest.raises(UsageError, match=r"--update_key=.*/none: no such file"):
        signing.read_key(tmp_path / "none", "public", "--update_key")


def test_the_golden_signature_is_right():
    pytest.importorskip("cryptography")
    signed = (GOLDEN / "signed" / "example.signed.sqz").read_bytes()
    found = signing.verify(signed, (GOLDEN / "signed" / "public.pem").read_bytes())
    assert found.release == 7
    assert found.archive == (GOLDEN / "example.sqz").read_bytes()


@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a JDK")
def test_the_jdk_verifies_the_same_bytes(tmp_path):
    (tmp_path / "Verify.java").write_text(JAVA)
    golden = GOLDEN / "signed"
    signed = (golden / "example.signed.sqz").read_bytes()
    (tmp_path / "damaged").write_bytes(signed[:8] + b"\x08" + signed[9:])  # another release
    for name, right in ((golden / "example.signed.sqz", "true"), (tmp_path / "damaged", "false")):
        command = ["java", str(tmp_path / "Verify.java"), str(name), str(golden / "public.pem")]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        assert told.stdout.strip() == right


def test_without_the_library_the_extra_is_named(monkeypatch, archive):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match=r"sqzkit\[sign\]"):
        signing.sign(archive, b"", 1)
