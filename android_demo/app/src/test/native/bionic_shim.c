/* Lets an Android x86_64 library that needs nothing but the C library run in a desktop JVM (tests only).
 *
 * PhoneLibrary.java makes the test copy of the library ask for this file instead of Android's C library,
 * and cuts the names of those functions whose arguments mean something else there. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What Android's C library has and the desktop's has not. */
#define FILE_SIZE 152 /* of Android's struct behind stdin, stdout and stderr */
char __sF[3 * FILE_SIZE];

int *__errno(void) { return &errno; }

size_t __strlen_chk(const char *text, size_t room) {
  (void)room;
  return strlen(text);
}

/* TensorFlow Lite makes its XNNPACK delegate only where it can read a version of Android. */
int __system_property_get(const char *name, char *value) {
  strcpy(value, strcmp(name, "ro.build.version.sdk") == 0 ? "35" : "");
  return (int)strlen(value);
}

void android_set_abort_message(const char *message) {
  fprintf(stderr, "abort: %s\n", message ? message : "");
}

#define WARN 5
int __android_log_vprint(int priority, const char *tag, const char *format, va_list arguments) {
  if (priority < WARN) return 0;
  char text[2048];
  vsnprintf(text, sizeof text, format, arguments);
  return fprintf(stderr, "log %d %s: %s\n", priority, tag ? tag : "", text);
}

/* Streams: Android's are addresses inside __sF. */
static FILE *stream(void *file) {
  char *at = file;
  if (at < __sF || at >= __sF + sizeof __sF) return file;
  switch ((at - __sF) / FILE_SIZE) {
    case 0: return stdin;
    case 1: return stdout;
    default: return stderr;
  }
}

int cut_fprintf(void *file, const char *format, ...) __asm__("intf");
int cut_fprintf(void *file, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int written = vfprintf(stream(file), format, arguments);
  va_end(arguments);
  return written;
}

int cut_vfprintf(void *file, const char *format, va_list arguments) __asm__("ntf");
int cut_vfprintf(void *file, const char *format, va_list arguments) {
  return vfprintf(stream(file), format, arguments);
}

int cut_fputc(int character, void *file) __asm__("utc");
int cut_fputc(int character, void *file) { return fputc(character, stream(file)); }

size_t cut_fwrite(const void *data, size_t size, size_t count, void *file) __asm__("ite");
size_t cut_fwrite(const void *data, size_t size, size_t count, void *file) {
  return fwrite(data, size, count, stream(file));
}

int cut_fflush(void *file) __asm__("lush");
int cut_fflush(void *file) { return fflush(stream(file)); }

int cut_fclose(void *file) __asm__("lose");
int cut_fclose(void *file) { return fclose(stream(file)); }

int cut_fileno(void *file) __asm__("leno");
int cut_fileno(void *file) { return fileno(stream(file)); }

/* The numbers of sysconf's questions differ. */
long cut_sysconf(int question) __asm__("ysconf");
long cut_sysconf(int question) {
  switch (question) {
    case 0x27:
    case 0x28: return sysconf(_SC_PAGESIZE);
    case 0x60: return sysconf(_SC_NPROCESSORS_CONF);
    case 0x61: return sysconf(_SC_NPROCESSORS_ONLN);
    case 0x62: return sysconf(_SC_PHYS_PAGES);
    case 0x63: return sysconf(_SC_AVPHYS_PAGES);
    default: return -1;
  }
}
