package org.sqzkit.demo.image;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.util.Arrays;
import java.util.Random;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.Implementation;
import org.robolectric.annotation.Implements;
import org.robolectric.shadow.api.Shadow;
import org.robolectric.shadows.ShadowNativeBitmapFactory;
import org.robolectric.util.ReflectionHelpers.ClassParameter;
import org.sqzkit.demo.R;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class PhotoLoaderTest {
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    private File file(int width, int height, Bitmap.CompressFormat format) throws Exception {
        Bitmap bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888);
        bitmap.eraseColor(0xff3060c0);
        File file = folder.newFile();
        try (FileOutputStream out = new FileOutputStream(file)) {
            assertTrue(bitmap.compress(format, 90, out));
        }
        bitmap.recycle();
        return file;
    }

    @Test
    public void fiftyMegapixelsAreDecodedSmall() throws Exception {
        Bitmap photo = PhotoLoader.load(file(8660, 5774, Bitmap.CompressFormat.JPEG));
        assertTrue(photo.getWidth() + "x" + photo.getHeight(),
                (long) photo.getWidth() * photo.getHeight() <= 6_000_000);
        assertTrue(Math.min(photo.getWidth(), photo.getHeight()) >= 1024);
        int pixel = photo.getPixel(photo.getWidth() / 2, photo.getHeight() / 2);
        assertEquals(0x30, pixel >> 16 & 255, 3);
        assertEquals(0xc0, pixel & 255, 3);
    }

    @Test
    public void usualPhotosKeepEveryPixel() throws Exception {
        Bitmap photo = PhotoLoader.load(file(2400, 1800, Bitmap.CompressFormat.JPEG));
        assertEquals(2400, photo.getWidth());
    }

    @Test
    public void tooManyPixelsAreRefusedBeforeDecoding() throws Exception {
        byte[] head = Resources.read("huge_header.png");
        File file = folder.newFile();
        java.nio.file.Files.write(file.toPath(), head);
        try {
            PhotoLoader.load(file);
            fail("not refused");
        } catch (AppError e) {
            assertEquals(e.getMessage(), R.string.error_image_too_large, e.resource());
        }
    }

    @Test
    public void whatIsKeptInMemoryIsBounded() {
        assertEquals(1, PhotoLoader.sample(3000, 2000));
        assertEquals(2, PhotoLoader.sample(4000, 3000));
        assertEquals(4, PhotoLoader.sample(8660, 5774));
        assertEquals(8, PhotoLoader.sample(16320, 12240));
    }

    /** A phone short of memory: pictures have to be decoded at an eighth or less. */
    @Implements(value = BitmapFactory.class, isInAndroidSdk = false,
            callNativeMethodsByDefault = true)
    public static final class ShortOfMemory extends ShadowNativeBitmapFactory {
        static int least = 8;

        @Implementation
        protected static Bitmap decodeFile(String path, BitmapFactory.Options options) {
            if (!options.inJustDecodeBounds && options.inSampleSize < least) {
                throw new OutOfMemoryError();
            }
            return Shadow.directlyOn(BitmapFactory.class, "decodeFile",
                    ClassParameter.from(String.class, path),
                    ClassParameter.from(BitmapFactory.Options.class, options));
        }
    }

    @Test
    @Config(shadows = ShortOfMemory.class)
    public void withLittleMemoryPicturesAreDecodedSmallerAndWithNoneThatIsSaid() throws Exception {
        File file = file(2400, 1800, Bitmap.CompressFormat.JPEG);
        ShortOfMemory.least = 8;
        assertEquals(300, PhotoLoader.load(file).getWidth());
        ShortOfMemory.least = Integer.MAX_VALUE;
        AppError error = assertThrows(AppError.class, () -> PhotoLoader.load(file));
        assertEquals(R.string.error_memory, error.resource());
    }

    @Test
    public void orientationIsReadFromAnyByteOrderAndDamageMeansUpright() throws Exception {
        assertEquals(6, Orientation.read(new ByteArrayInputStream(jpeg(true, 6))));
        assertEquals(8, Orientation.read(new ByteArrayInputStream(jpeg(false, 8))));
        assertEquals(1, Orientation.read(new ByteArrayInputStream(jpeg(false, 9))));
        assertEquals(1, Orientation.read(new ByteArrayInputStream(new byte[0])));
        Random random = new Random(2);
        for (int i = 0; i < 20_000; i++) {
            byte[] damaged = jpeg(i % 2 == 0, 6);
            damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            damaged = Arrays.copyOf(damaged, 1 + random.nextInt(damaged.length));
            int found = Orientation.read(new ByteArrayInputStream(damaged));
            assertTrue(found >= 1 && found <= 8);
        }
    }

    private static byte[] jpeg(boolean little, int orientation) {
        int[] head = {0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0};
        int[] tiff = little
                ? new int[] {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                    0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0}
                : new int[] {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                    1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0};
        byte[] out = new byte[head.length + tiff.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (byte) (i < head.length ? head[i] : tiff[i - head.length]);
        }
        return out;
    }
}
