// Sines and cosines: of a number a row, and of every number of images (`dx` and what belongs to it are null without a tangent).

// y[row] = (sin(t f), cos(t f) for `half` frequencies f, `each` other numbers of the row, zeros), of `columns`.
KERNEL sinusoids(float *y, const double *times, const double *frequencies, const double *others, index count, int columns,
                 int half, int each) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      index row = i / columns;
      int column = (int)(i % columns), other = column - 2 * half;
      double number = 0.0;
      if (column < half) {
        number = sin(times[row] * frequencies[column]);
      } else if (other < 0) {
        number = cos(times[row] * frequencies[column - half]);
      } else if (other < each) {
        number = others[row * each + other];
      }
      y[i] = (float)number;
    }
  }
}

// What a wave of a number is scaled by: the factor of its row, or 1 where there are none.
#define FACTOR(p, k) (factors ? factors[(p) / image * waves + (k)] : 1.0f)

// s, c = factor sin(w x), factor cos(w x) of `waves` waves for each x, and their tangents; s has `count` numbers, a row of x `image`.
KERNEL wave(float *s, float *ds, float *c, float *dc, const float *x, const float *dx, const float *frequencies,
            const float *factors, index count, index image, int waves) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      index p = i / waves;
      int own = (int)(i % waves);
      float w = frequencies[own], factor = FACTOR(p, own);
      float sine = factor * sinf(w * x[p]), cosine = factor * cosf(w * x[p]);
      s[i] = sine;
      c[i] = cosine;
      if (dx) {
        ds[i] = cosine * w * dx[p];
        dc[i] = -sine * w * dx[p];
      }
    }
  }
}

// gx += factor w (gs cos - gc sin) - factor w^2 x' (gs' sin + gc' cos), gx' += factor w (gs' cos - gc' sin), over all waves of x.
KERNEL wave_back(float *gx, float *gdx, const float *gs, const float *gds, const float *gc, const float *gdc, const float *x,
                 const float *dx, const float *frequencies, const float *factors, index count, index image, int waves) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      float sum = 0.0f, tangent = 0.0f;
      for (int own = 0; own < waves; ++own) {
        index at = i * waves + own;
        float w = frequencies[own], factor = FACTOR(i, own) * w;
        float sine = sinf(w * x[i]), cosine = cosf(w * x[i]);
        sum += factor * (gs[at] * cosine - gc[at] * sine);
        if (dx) {
          sum -= factor * w * dx[i] * (gds[at] * sine + gdc[at] * cosine);
          tangent += factor * (gds[at] * cosine - gdc[at] * sine);
        }
      }
      gx[i] += sum;
      if (dx) gdx[i] += tangent;
    }
  }
}
