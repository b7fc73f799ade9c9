# MedGAN's dashboard in a container, on a Hugging Face Space or anywhere: docker build -t medgan . && docker run -p 7860:7860 medgan
FROM python:3.12-slim-bookworm

# cpu is gigabytes smaller; on a machine with an NVIDIA card: --build-arg TORCH=auto
ARG TORCH=cpu

RUN useradd --create-home --uid 1000 user
WORKDIR /home/user/app

COPY requirements.txt ./
RUN pip install --no-cache-dir uv \
 && UV_TORCH_BACKEND=${TORCH} uv pip install --system --no-cache -r requirements.txt

COPY --chown=user:user . ./
RUN mkdir /home/user/workspace && chown user:user /home/user/workspace
USER user

# What people make lies in MEDGAN_HOME: mount a volume there to keep it. Uploads inside the frame that a Space
# is shown in fail with Streamlit's protection against cross-site requests: it is off in the container alone.
ENV HOME=/home/user \
    HF_HOME=/home/user/.cache/huggingface \
    MEDGAN_HOME=/home/user/workspace \
    PYTHONUNBUFFERED=1 \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=7860 \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none \
    STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION=false \
    STREAMLIT_CLIENT_SHOW_ERROR_DETAILS=type

EXPOSE 7860
HEALTHCHECK --start-period=30s CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/_stcore/health', timeout=5)"
CMD ["streamlit", "run", "app.py"]
