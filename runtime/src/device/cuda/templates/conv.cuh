// Convolutions as contractions whose operands are read in place. A geometry is forward's:
//   struct G { enum : u32 { C, O, H, W, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW }; };
// input channels and outputs, input and output extents, kernel, stride, padding, dilation. Weights lie as [O][KH][KW][C].
// Divisions are by constants. Offsets within one operand stay below 2^32 floats.

/// A plain matrix as an operand.
template <u32 ROW_STRIDE, u32 K_STRIDE, int VECTOR_> struct KilnMatrix {
  static constexpr int VECTOR = VECTOR_;
  static constexpr bool K_CONTIGUOUS = K_STRIDE == 1;
  const float* p;

  KILN_DEV const float* at(u32 row, u32 k, bool&) const { return p + (row * ROW_STRIDE + k * K_STRIDE); }
};

/// Where an image has the element that tap (ky, kx, c) of output pixel (n, oy, ox) reads, if it is not in the padding.
/// SAMPLE, CHANNEL, ROW and COLUMN are the image's strides.
template <class G, u32 SAMPLE, u32 CHANNEL, u32 ROW, u32 COLUMN>
KILN_DEV const float* kiln_patch(const float* x, u32 pixel, u32 tap, bool& inside) {
  // A kernel of one tap, or one output pixel, leaves nothing to divide.
  u32 c = G::KH * G::KW == 1 ? tap : tap % G::C, place = G::KH * G::KW == 1 ? 0 : tap / G::C;
  u32 n = G::OH * G::OW == 1 ? pixel : pixel / (G::OH * G::OW), at = G::OH * G::OW == 1 ? 0 : pixel % (G::OH * G::OW);
  // Coordinates left of the image wrap to large ones.
  u32 y = at / G::OW * G::SH + place / G::KW * G::DH - G::PH;
  u32 column = at % G::OW * G::SW + place % G::KW * G::DW - G::PW;
  inside = inside && y < G::H && column < G::W;
  return x + (n * SAMPLE + y * ROW + column * COLUMN + c * CHANNEL);
}

/// Forward's A: row = (n, oy, ox), k = (ky, kx, c) with c fastest.
template <class G, u32 SAMPLE, u32 CHANNEL, u32 ROW, u32 COLUMN, int VECTOR_> struct KilnPatches {
  static_assert(VECTOR_ == 1 || (CHANNEL == 1 && G::C % 4 == 0), "four at a time: channels side by side, a multiple of four");
  static constexpr int VECTOR = VECTOR_;
  static constexpr bool K_CONTIGUOUS = true;
  const float* x;

  KILN_DEV const float* at(u32 row, u32 k, bool& inside) const {
    return kiln_patch<G, SAMPLE, CHANNEL, ROW, COLUMN>(x, row, k, inside);
  }
};

/// The weight gradient's B: row = (ky, kx, c), k = (n, oy, ox).
template <class G, u32 SAMPLE, u32 CHANNEL, u32 ROW, u32 COLUMN, int VECTOR_> struct KilnPatchColumns {
  static_assert(VECTOR_ == 1 || (CHANNEL == 1 && G::C % 4 == 0), "four at a time: channels side by side, a multiple of four");
  static constexpr int VECTOR = VECTOR_;
  static constexpr bool K_CONTIGUOUS = false;
  const float* x;

  KILN_DEV const float* at(u32 row, u32 k, bool& inside) const {
    return kiln_patch<G, SAMPLE, CHANNEL, ROW, COLUMN>(x, k, row, inside);
  }
};

/// Along one axis, the input coordinates of one residue class modulo the stride, and the taps that reach them: of the taps
/// every PERIOD-th from `tap` on, and the coordinate `first + STRIDE · j` is reached through tap `tap + PERIOD · i` from output
/// coordinate `output + j - i · BACK`.
template <u32 EXTENT, u32 KERNEL, u32 STRIDE, u32 PADDING, u32 DILATION> struct KilnClass {
  static KILN_DEV constexpr u32 common(u32 a, u32 b) { return b == 0 ? a : common(b, a % b); }
  static constexpr u32 PERIOD = STRIDE / common(STRIDE, DILATION), BACK = DILATION / common(STRIDE, DILATION);
  /// Taps and coordinates of a class: one of two numbers, so that dividing by them is dividing by constants.
  static constexpr u32 TAPS = (KERNEL + PERIOD - 1) / PERIOD, COORDINATES = (EXTENT + STRIDE - 1) / STRIDE;

  u32 first, coordinates, tap, taps;
  i32 output;

  KILN_DEV explicit KilnClass(u32 residue) : first(residue), tap(0), taps(0), output(0) {
    coordinates = residue < EXTENT ? (EXTENT - residue + STRIDE - 1) / STRIDE : 0;
    for (u32 t = 0; t < PERIOD && t < KERNEL; t++) {
      if (t * DILATION % STRIDE == (residue + PADDING) % STRIDE) {
        tap = t;
        taps = (KERNEL - t + PERIOD - 1) / PERIOD;
      }
    }
    output = (static_cast<i32>(residue + PADDING) - static_cast<i32>(tap * DILATION)) / static_cast<i32>(STRIDE);
  }

  /// x / coordinates and x / taps, for x below 2^32.
  KILN_DEV u32 by_coordinates(u32 x) const {
    constexpr u32 FEWER = COORDINATES > 1 ? COORDINATES - 1 : 1;
    return coordinates == COORDINATES ? x / COORDINATES : x / FEWER;
  }
  KILN_DEV u32 by_taps(u32 x) const {
    constexpr u32 FEWER = TAPS > 1 ? TAPS - 1 : 1;
    return taps == TAPS ? x / TAPS : x / FEWER;
  }
};

/// The input pixels of one class: residues of y modulo SH and of x modulo SW.
template <class G> struct KilnPixels {
  KilnClass<G::H, G::KH, G::SH, G::PH, G::DH> y;
  KilnClass<G::W, G::KW, G::SW, G::PW, G::DW> x;

  KILN_DEV explicit KilnPixels(u32 number) : y(number / G::SW), x(number % G::SW) {}

  KILN_DEV u32 rows(u32 batch) const { return batch * y.coordinates * x.coordinates; }
  KILN_DEV u32 depth() const { return y.taps * x.taps * G::O; }

  /// Sample and place (counted within the class) of a row.
  KILN_DEV void locate(u32 row, u32& n, u32& jy, u32& jx) const {
    u32 line = x.by_coordinates(row);
    jx = row - line * x.coordinates;
    n = y.by_coordinates(line);
    jy = line - n * y.coordinates;
  }

  /// The taps of a k.
  KILN_DEV void tap(u32 k, u32& iy, u32& ix, u32& o) const {
    o = G::KH * G::KW == 1 ? k : k % G::O;
    u32 place = G::KH * G::KW == 1 ? 0 : k / G::O;
    iy = x.by_taps(place);
    ix = place - iy * x.taps;
  }
};

/// The input gradient's A, for the pixels of one class: row = pixel of the class, k = (tap, o) with o fastest; read from dy.
template <class G, u32 SAMPLE, int VECTOR_> struct KilnGradients {
  static_assert(VECTOR_ == 1 || G::O % 4 == 0, "four at a time: outputs are a multiple of four");
  static constexpr int VECTOR = VECTOR_;
  static constexpr bool K_CONTIGUOUS = true;
  const float* dy;
  const KilnPixels<G>& pixels;

  KILN_DEV const float* at(u32 row, u32 k, bool& inside) const {
    u32 n, jy, jx, iy, ix, o;
    pixels.locate(row, n, jy, jx);
    pixels.tap(k, iy, ix, o);
    // Below zero wraps to large ones.
    u32 oy = static_cast<u32>(pixels.y.output) + jy - iy * pixels.y.BACK;
    u32 ox = static_cast<u32>(pixels.x.output) + jx - ix * pixels.x.BACK;
    inside = inside && oy < G::OH && ox < G::OW;
    return dy + (n * SAMPLE + (oy * G::OW + ox) * G::O + o);
  }
};

/// The input gradient's B: row = c, k = (tap, o).
template <class G, int VECTOR_> struct KilnTaps {
  static_assert(VECTOR_ == 1 || G::C % 4 == 0, "four at a time: channels are a multiple of four");
  static constexpr int VECTOR = VECTOR_;
  static constexpr bool K_CONTIGUOUS = false;
  const float* w;
  const KilnPixels<G>& pixels;

  KILN_DEV const float* at(u32 row, u32 k, bool&) const {
    u32 iy, ix, o;
    pixels.tap(k, iy, ix, o);
    u32 ky = pixels.y.tap + iy * pixels.y.PERIOD, kx = pixels.x.tap + ix * pixels.x.PERIOD;
    return w + (((o * G::KH + ky) * G::KW + kx) * G::C + row);
  }
};

/// Hands a class's rows on as pixels of the image.
template <class G, class Sink> struct KilnPixelSink {
  static constexpr bool WHOLE_TILE = Sink::WHOLE_TILE;
  static_assert(!WHOLE_TILE || G::SH * G::SW == 1, "a whole tile of input pixels is contiguous only where the stride is 1");
  Sink& sink;
  const KilnPixels<G>& pixels;

  KILN_DEV auto element(u32 split, u32 row, u32 col, float sum) {
    u32 n, jy, jx;
    pixels.locate(row, n, jy, jx);
    u32 y = pixels.y.first + jy * G::SH, x = pixels.x.first + jx * G::SW;
    return sink.element(split, (n * G::H + y) * G::W + x, col, sum);
  }
  KILN_DEV void tile(u32 row0, u32 rows, u32 col0, u32 cols, const float* values, u32 pitch) {
    sink.tile(row0, rows, col0, cols, values, pitch);
  }
};

/// The input gradient: row = input pixel (n · H + y) · W + x, col = c. Pixels are taken by their residues modulo the strides,
/// SH · SW classes, so that each multiplies only the taps that reach it; a class that none reaches gives zeros. `dy` is
/// [n][OH][OW][O] with SAMPLE floats between samples. The sink's split is 0; a sink of whole tiles needs stride 1.
///
/// Pieces of work: the sum over residues ry < SH and rx < SW of
/// ceil(batch · ceil((H - ry) / SH) · ceil((W - rx) / SW) / BM) · ceil(C / BN), where a class without pixels (ry ≥ H or rx ≥ W) has
/// none. Shared memory as for kiln_gemm, with A contiguous along k and B not.
template <class Tile, class Precision, class G, u32 SAMPLE, int VECTOR_DY, int VECTOR_W, class Sink>
KILN_DEV void kiln_conv_input(const float* dy, const float* w, Sink& sink, u32 batch, u32 cta, u32 ctas, KilnShared shared) {
  using A = KilnGradients<G, SAMPLE, VECTOR_DY>;
  using B = KilnTaps<G, VECTOR_W>;
  constexpr u32 BM = Tile::BM, BN = Tile::BN, CLASSES = G::SH * G::SW, ACROSS = (G::C + BN - 1) / BN;
  float* memory = shared.take<float>(kiln_tile_floats<Tile, A, B, Sink>());
  u32 number = 0, before = 0;
  for (u32 piece = cta;; piece += ctas) {
    while (number < CLASSES) {
      u32 pieces = (KilnPixels<G>(number).rows(batch) + BM - 1) / BM * ACROSS;
      if (piece < before + pieces) break;
      before += pieces;
      number++;
    }
    if (number == CLASSES) break;
    const KilnPixels<G> pixels(number);
    u32 tile = piece - before;
    KilnPixelSink<G, Sink> mapped{sink, pixels};
    kiln_tile<Tile, Precision>(A{dy, pixels}, B{w, pixels}, mapped, pixels.rows(batch), G::C, tile / ACROSS * BM,
                               tile % ACROSS * BN, 0, 0, pixels.depth(), memory);
  }
}
