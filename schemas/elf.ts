/**
 * The numbers of the ELF format by their names in elf.h, for the readers of files and for the agent's of memory.
 * Relocation types, which are an architecture's, are in abi.ts.
 * Source: glibc's elf.h; System V gABI ch. 4 and 5, and the GNU extensions to it.
 */

/** e_type. */
export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;
export const ET_CORE = 4;

/** p_type. */
export const PT_NULL = 0;
export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PT_GNU_EH_FRAME = 0x6474e550;
export const PT_GNU_RELRO = 0x6474e552;
export const PT_GNU_PROPERTY = 0x6474e553;

/** Bits of p_flags. */
export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;

/** sh_type. */
export const SHT_NULL = 0;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHT_DYNSYM = 11;

/** Bits of sh_flags. */
export const SHF_EXECINSTR = 4;
export const SHF_COMPRESSED = 0x800;

/** ch_type of a compressed section. */
export const ELFCOMPRESS_ZLIB = 1;
export const ELFCOMPRESS_ZSTD = 2;

/** st_shndx: section indices from SHN_LORESERVE on are special (SHN_ABS, SHN_COMMON, ...), no place in the library. */
export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;
/** e_shstrndx of a file whose section 0 holds the index, as it does not fit into the header. */
export const SHN_XINDEX = 0xffff;

/** The upper half of st_info. */
export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STB_GNU_UNIQUE = 10;

/** The lower half of st_info. */
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_FILE = 4;
export const STT_TLS = 6;
export const STT_GNU_IFUNC = 10;

/** st_other. */
export const STV_DEFAULT = 0;

/** d_tag. */
export const DT_NULL = 0;
export const DT_NEEDED = 1;
export const DT_PLTRELSZ = 2;
export const DT_HASH = 4;
export const DT_STRTAB = 5;
export const DT_SYMTAB = 6;
export const DT_RELA = 7;
export const DT_RELASZ = 8;
export const DT_RELAENT = 9;
export const DT_STRSZ = 10;
export const DT_SONAME = 14;
export const DT_RPATH = 15;
export const DT_PLTREL = 20;
export const DT_JMPREL = 23;
export const DT_RUNPATH = 29;
export const DT_FLAGS = 30;
export const DT_GNU_HASH = 0x6ffffef5;
export const DT_FLAGS_1 = 0x6ffffffb;

/** Bits of DT_FLAGS and DT_FLAGS_1. */
export const DF_STATIC_TLS = 0x10;
export const DF_1_PIE = 0x08000000;

/** n_type of a note whose name is "GNU". */
export const NT_GNU_BUILD_ID = 3;
