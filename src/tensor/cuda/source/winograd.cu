// 3x3 convolution by Winograd's F(4x4, 3x3): the transforms around 36 matrix products. The points are those of `cpu::winograd`:
// 0, a, -a, b, -b and infinity with a^2 = 1/2 and b = 1 / a. One thread a tile and a channel.

#define A_POINT 0.70710678118654752f
#define B_POINT 1.41421356237309505f

// B^T d.
DEVICE void input_map(const float *d, int stride, float *to) {
  float p = d[4 * stride] - 2.0f * d[2 * stride], q = d[3 * stride] - 2.0f * d[stride];
  float r = d[4 * stride] - 0.5f * d[2 * stride], s = d[3 * stride] - 0.5f * d[stride];
  to[0] = d[0] + d[4 * stride] - 2.5f * d[2 * stride];
  to[1] = p + A_POINT * q;
  to[2] = p - A_POINT * q;
  to[3] = r + B_POINT * s;
  to[4] = r - B_POINT * s;
  to[5] = d[stride] + d[5 * stride] - 2.5f * d[3 * stride];
}

// A^T m.
DEVICE void output_map(const float *m, int stride, float *to) {
  float p = m[stride] + m[2 * stride], q = A_POINT * (m[stride] - m[2 * stride]);
  float r = m[3 * stride] + m[4 * stride], s = B_POINT * (m[3 * stride] - m[4 * stride]);
  to[0] = m[0] + (p + r);
  to[1] = q + s;
  to[2] = 0.5f * p + 2.0f * r;
  to[3] = 0.5f * q + (2.0f * s + m[5 * stride]);
}

// A g.
DEVICE void output_transpose(const float *g, int stride, float *to) {
  float p = g[0] + 0.5f * g[2 * stride], q = g[stride] + 0.5f * g[3 * stride];
  float r = g[0] + 2.0f * g[2 * stride], s = g[stride] + 2.0f * g[3 * stride];
  to[0] = g[0];
  to[1] = p + A_POINT * q;
  to[2] = p - A_POINT * q;
  to[3] = r + B_POINT * s;
  to[4] = r - B_POINT * s;
  to[5] = g[3 * stride];
}

// G g.
DEVICE void taps_map(const float *g, int stride, float *to) {
  float p = -2.0f / 3.0f * g[0] - 1.0f / 3.0f * g[2 * stride], q = -A_POINT / 1.5f * g[stride];
  float r = 1.0f / 6.0f * g[0] + 1.0f / 3.0f * g[2 * stride], s = B_POINT / 6.0f * g[stride];
  to[0] = g[0];
  to[1] = p + q;
  to[2] = p - q;
  to[3] = r + s;
  to[4] = r - s;
  to[5] = g[2 * stride];
}

// G^T u.
DEVICE void taps_transpose(const float *u, int stride, float *to) {
  float p = u[stride] + u[2 * stride], q = u[stride] - u[2 * stride];
  float r = u[3 * stride] + u[4 * stride], s = u[3 * stride] - u[4 * stride];
  to[0] = u[0] - 2.0f / 3.0f * p + 1.0f / 6.0f * r;
  to[1] = B_POINT / 6.0f * s - A_POINT / 1.5f * q;
  to[2] = u[5 * stride] + 1.0f / 3.0f * (r - p);
}

// A thread's tile and channel, and the image, line and column of the tile's first output.
struct place {
  int tile, channel, image, line, column;
};

DEVICE struct place place_of(int i, int channels, int down, int across) {
  struct place at;
  at.channel = i % channels;
  at.tile = i / channels;
  at.image = at.tile / (down * across);
  int own = at.tile % (down * across);
  at.line = own / across * 4;
  at.column = own % across * 4;
  return at;
}

// v[point, tile, before + c] = B^T d B; a tile has `total` channels, of which x holds `channels`.
KERNEL winograd_input(float *v, const float *x, int tiles, int height, int width, int down, int across, int channels, int total,
                      int before) {
  PHASE {
    int i = BLOCK * THREADS + thread;
    if (i < tiles * channels) {
      struct place at = place_of(i, channels, down, across);
      const float *own = x + (index)at.image * height * width * channels + at.channel;
      float d[36], half[36];
      UNROLL for (int a = 0; a < 6; ++a) {
        UNROLL for (int b = 0; b < 6; ++b) {
          int line = at.line + a - 1, column = at.column + b - 1;
          int inside = line >= 0 && line < height && column >= 0 && column < width;
          d[a * 6 + b] = inside ? own[((index)line * width + column) * channels] : 0.0f;
        }
      }
      // Columns as rows of `half`: half[b][p] = (B^T d)[p][b].
      UNROLL for (int b = 0; b < 6; ++b) input_map(d + b, 6, half + b * 6);
      float *to = v + (index)at.tile * total + before + at.channel;
      UNROLL for (int p = 0; p < 6; ++p) {
        float line[6];
        input_map(half + p, 6, line);
        UNROLL for (int q = 0; q < 6; ++q) to[(index)(p * 6 + q) * tiles * total] = line[q];
      }
    }
  }
}

// u[point, c, o] = G g G^T; or, turned, u[point, o, c] of the taps in reverse, which takes an output's gradient to the input's.
KERNEL winograd_weights(float *u, const float *weight, int channels, int out, int turned) {
  PHASE {
    int i = BLOCK * THREADS + thread;
    if (i < channels * out) {
      int c = i / out, o = i % out;
      float g[9], half[18];
      UNROLL for (int tap = 0; tap < 9; ++tap) {
        g[tap] = weight[((index)(turned ? 8 - tap : tap) * channels + c) * out + o];
      }
      UNROLL for (int b = 0; b < 3; ++b) taps_map(g + b, 3, half + b * 6);
      float *to = u + (turned ? (index)o * channels + c : i);
      UNROLL for (int p = 0; p < 6; ++p) {
        float line[6];
        taps_map(half + p, 6, line);
        UNROLL for (int q = 0; q < 6; ++q) to[(index)(p * 6 + q) * channels * out] = line[q];
      }
    }
  }
}

// y (+)= A^T m A + bias + shift of the row + residual, each of which may be absent. m has `total` channels, of which those from
// `before` on go to y.
KERNEL winograd_output(float *y, const float *m, const float *bias, const float *shift, const float *residual, int tiles, int height,
                       int width, int down, int across, int channels, int total, int before, int add) {
  PHASE {
    int i = BLOCK * THREADS + thread;
    if (i < tiles * channels) {
      struct place at = place_of(i, channels, down, across);
      const float *own = m + (index)at.tile * total + before + at.channel;
      float d[36], half[24];
      UNROLL for (int p = 0; p < 36; ++p) d[p] = own[(index)p * tiles * total];
      UNROLL for (int b = 0; b < 6; ++b) output_map(d + b, 6, half + b * 4);
      float term = bias ? bias[at.channel] : 0.0f;
      if (shift) term += shift[(index)at.image * channels + at.channel];
      UNROLL for (int p = 0; p < 4; ++p) {
        float values[4];
        output_map(half + p, 4, values);
        UNROLL for (int q = 0; q < 4; ++q) {
          int line = at.line + p, column = at.column + q;
          if (line < height && column < width) {
            index to = (((index)at.image * height + line) * width + column) * channels + at.channel;
            float value = values[q] + term;
            if (residual) value += residual[to];
            y[to] = add ? y[to] + value : value;
          }
        }
      }
    }
  }
}

// e[point, tile, o] = A gy A^T.
KERNEL winograd_gradient(float *e, const float *gy, int tiles, int height, int width, int down, int across, int out) {
  PHASE {
    int i = BLOCK * THREADS + thread;
    if (i < tiles * out) {
      struct place at = place_of(i, out, down, across);
      const float *own = gy + (index)at.image * height * width * out + at.channel;
      float d[16], half[24];
      UNROLL for (int a = 0; a < 4; ++a) {
        UNROLL for (int b = 0; b < 4; ++b) {
          int line = at.line + a, column = at.column + b;
          int inside = line < height && column < width;
          d[a * 4 + b] = inside ? own[((index)line * width + column) * out] : 0.0f;
        }
      }
      UNROLL for (int b = 0; b < 4; ++b) output_transpose(d + b, 4, half + b * 6);
      float *to = e + (index)at.tile * out + at.channel;
      UNROLL for (int p = 0; p < 6; ++p) {
        float line[6];
        output_transpose(half + p, 6, line);
        UNROLL for (int q = 0; q < 6; ++q) to[(index)(p * 6 + q) * tiles * out] = line[q];
      }
    }
  }
}

// gweight += G^T gu G.
KERNEL winograd_weights_back(float *gweight, const float *gu, int channels, int out) {
  PHASE {
    int i = BLOCK * THREADS + thread;
    if (i < channels * out) {
      float d[36], half[18];
      UNROLL for (int p = 0; p < 36; ++p) d[p] = gu[(index)p * channels * out + i];
      UNROLL for (int b = 0; b < 6; ++b) taps_transpose(d + b, 6, half + b * 3);
      UNROLL for (int p = 0; p < 3; ++p) {
        float line[3];
        taps_transpose(half + p, 3, line);
        UNROLL for (int q = 0; q < 3; ++q) gweight[(index)(p * 3 + q) * channels * out + i] += line[q];
      }
    }
  }
}
