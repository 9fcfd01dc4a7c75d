/* What a compiler calls where there is no C library, of a library of its own. Part of pointillist.c. */
#if defined(PT_LIBRARY)
void *memcpy(void *restrict to, const void *restrict from, __SIZE_TYPE__ count) {
  u8 *y = to;
  const u8 *x = from;
  while (count--) *y++ = *x++;
  return to;
}
void *memset(void *to, int value, __SIZE_TYPE__ count) {
  u8 *y = to;
  while (count--) *y++ = (u8)value;
  return to;
}
#if defined(_WIN32)
int DllMainCRTStartup(void *library, u32 reason, void *reserved) {
  (void)library, (void)reason, (void)reserved;
  return 1;
}
#endif
#endif
