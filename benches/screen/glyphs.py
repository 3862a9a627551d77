#!/usr/bin/python3
# glyphs.py FILE: writes the letters of the measured desktop (anti-aliased, as a real desktop's text is): 95 glyphs, 9x18 cells, 1 byte a pixel
import sys
from PIL import Image, ImageDraw, ImageFont
f = ImageFont.truetype('/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf', 15)
W, H = 9, 18
im = Image.new('L', (W*95, H), 255); d = ImageDraw.Draw(im)
for i in range(95): d.text((i*W, 0), chr(32+i), font=f, fill=0)
open(sys.argv[1],'wb').write(im.tobytes())
