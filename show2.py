import numpy as np, sys
d=np.load(sys.argv[1]); n=int(d["n"]); r=d["res"][:n]/np.log(2)/1024
print(n,"bits own by g:",[round(v,4) for v in -r[:,0,0].mean(0)], "others", [round(v,4) for v in -r[:,0,1:].mean((0,1))])
